// Processors, seen through ServicePipelines.

#include "base/time_format.hpp"
#include "fixture.hpp"
#include "pipeline/failed_store.hpp"

#include <gmock/gmock.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace fermata::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Processors : public PipelineTest {
 protected:
  /// One processor for paris, its gate open.
  void start(PipelineOptions options = {}) {
    pipelines_ = make(options);
    ASSERT_TRUE(pipelines_->add_processor(recorder_.spec()));
    ASSERT_TRUE(pipelines_->start());
    pipelines_->set_gate("paris", true);
    executor_.run_ready();
  }
  void append(std::string key, std::string value) {
    queue_.append("topic", std::move(key), std::move(value));
    executor_.run_ready();
  }
  void finish(std::string_view key, Outcome outcome = Outcome::kDone, std::string_view text = {}) {
    recorder_.finish(key, outcome, text);
    executor_.run_ready();
  }
  std::int64_t committed() const {
    std::int64_t sum = 0;
    for (int partition = 0; partition < 4; ++partition) sum += queue_.committed("topic", "crr-paris", partition);
    return sum;
  }
  LocationCounts counts() const { return pipelines_->counts("paris"); }
  void TearDown() override {
    recorder_.handed.clear();
    if (pipelines_) (void)pipelines_->stop(0ms);
  }

  Recorder recorder_;
  std::unique_ptr<ServicePipelines> pipelines_;
};

TEST_F(Processors, DeliverRecordsOfOneKeyInOrderOneAtATime) {
  start();
  append("a", "a1");
  append("a", "a2");
  append("b", "b1");
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "b1"));
  finish("a");
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "b1", "a2"));
}

TEST_F(Processors, NameARecordThatIsStuckAsLongAsItIs) {
  start({.stuck_after = 1min});
  int changes = 0;
  pipelines_->on_change([&](std::string_view location) { changes += location == "paris" ? 1 : 0; });
  const auto [partition, offset] = queue_.append("topic", "a", "a1");
  const std::string since = format_iso(executor_.now());
  executor_.run_ready();
  append("b", "b1");
  finish("b");
  executor_.advance(59s);
  EXPECT_EQ(counts().stuck, "");
  changes = 0;
  executor_.advance(11s);
  const std::string record = "topic/" + std::to_string(partition) + "/" + std::to_string(offset);
  EXPECT_EQ(counts().stuck, "record " + record + " with key 'a' has been with processor 'replicate' since " + since);
  EXPECT_EQ(changes, 1);
  append("c", "c1");
  executor_.advance(5min);
  EXPECT_THAT(counts().stuck, ::testing::AllOf(HasSubstr(record), HasSubstr("and 1 more")));
  EXPECT_EQ(changes, 2) << "each is named once";
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(fermata_processor_stuck{service="crr",location="paris",processor="replicate"} 2)"));
  finish("a");
  EXPECT_THAT(counts().stuck, HasSubstr("key 'c'"));
  finish("c", Outcome::kRetry, "at last");
  EXPECT_EQ(counts().stuck, "");
  EXPECT_EQ(changes, 4);
  EXPECT_EQ(counts().retrying, 1);
}

TEST_F(Processors, NameAStuckRecordInTheLogOnceAndWithAllThatFindsIt) {
  const std::string file = ::testing::TempDir() + "stuck_log_" + std::to_string(::getpid());
  auto log = std::make_unique<telemetry::Log>(telemetry::Log::Options{.level = telemetry::Level::kWarn, .file = file});
  pipelines_ = std::make_unique<ServicePipelines>(
      "crr", "/backbeat/crr", PipelineOptions{.stuck_after = 1min},
      ServicePipelines::Dependencies{queue_, kv_, store_, leases_, executor_, executor_, executor_, *log, metrics_});
  ASSERT_TRUE(pipelines_->add_processor(recorder_.spec()));
  ASSERT_TRUE(pipelines_->start());
  pipelines_->set_gate("paris", true);
  append("a", "a1");
  executor_.advance(10min);
  recorder_.handed.clear();
  (void)pipelines_->stop(0ms);
  pipelines_.reset();
  executor_.run_ready();
  log.reset();  // which writes what waits
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 1u);
  for (const auto* word : {"stuck", "crr", "paris", "replicate", "topic", "partition=", "offset=0", "key=a"})
    EXPECT_THAT(lines[0], HasSubstr(word));
  std::remove(file.c_str());
}

TEST_F(Processors, DeliverNothingWhileTheGateIsClosed) {
  start();
  pipelines_->set_gate("paris", false);
  append("a", "a1");
  EXPECT_TRUE(recorder_.handed.empty());
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_THAT(recorder_.order, ElementsAre("a1"));
}

TEST_F(Processors, StartWithTheirGatesClosed) {
  queue_.append("topic", "a", "a1");
  pipelines_ = make();
  ASSERT_TRUE(pipelines_->add_processor(recorder_.spec()));
  ASSERT_TRUE(pipelines_->start());
  executor_.run_ready();
  EXPECT_TRUE(recorder_.handed.empty());
  EXPECT_TRUE(counts().quiet);
}

TEST_F(Processors, DeliverNothingPrefetchedAfterTheGateClosedInsideProcess) {
  pipelines_ = make();
  auto spec = recorder_.spec();
  spec.process = [this, record = spec.process](const DeliveredRecord& delivered, Complete complete) {
    record(delivered, std::move(complete));
    pipelines_->set_gate("paris", false);
  };
  ASSERT_TRUE(pipelines_->add_processor(std::move(spec)));
  ASSERT_TRUE(pipelines_->start());
  for (const char* key : {"a", "b", "c"}) queue_.append("topic", key, key);
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_EQ(recorder_.handed.size(), 1u);
}

TEST_F(Processors, FinishAndCommitWhatIsInFlightWhenTheGateCloses) {
  start();
  append("a", "a1");
  pipelines_->set_gate("paris", false);
  EXPECT_FALSE(counts().quiet);
  EXPECT_EQ(counts().in_flight, 1);
  finish("a");
  EXPECT_TRUE(counts().quiet);
  EXPECT_EQ(committed(), 1);
}

TEST_F(Processors, TellWhenTheyBecomeQuiet) {
  std::vector<std::string> changes;
  pipelines_ = make();
  pipelines_->on_change([&](std::string_view location) { changes.emplace_back(location); });
  ASSERT_TRUE(pipelines_->add_processor(recorder_.spec()));
  ASSERT_TRUE(pipelines_->start());
  pipelines_->set_gate("paris", true);
  append("a", "a1");
  EXPECT_THAT(changes, ElementsAre("paris"));
  pipelines_->set_gate("paris", false);
  executor_.run_ready();
  EXPECT_THAT(changes, ElementsAre("paris"));
  finish("a");
  EXPECT_THAT(changes, ElementsAre("paris", "paris"));
}

TEST_F(Processors, CommitOnlyUpToTheFirstRecordNotDone) {
  start();
  const auto [partition, first] = queue_.append("topic", "a", "a1");
  ASSERT_EQ(queue_.append("topic", "e", "e1").first, partition) << "pick another key";
  executor_.run_ready();
  finish("e");
  executor_.advance(2s);
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first);
  finish("a");
  executor_.advance(2s);
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first + 2);
}

TEST_F(Processors, CommitOncePerIntervalWhateverTheNumberOfRecords) {
  start();
  for (int i = 0; i < 500; ++i) {
    append(std::to_string(i), "v");
    finish(std::to_string(i));
  }
  EXPECT_EQ(queue_.commits("topic", "crr-paris"), 0);
  executor_.advance(1s);
  EXPECT_EQ(queue_.commits("topic", "crr-paris"), 1);
  EXPECT_EQ(committed(), 500);
  executor_.advance(10s);
  EXPECT_EQ(queue_.commits("topic", "crr-paris"), 1);
  EXPECT_EQ(pipeline_timers(), 0u);
}

TEST_F(Processors, HandOutNoMoreRecordsThanAllowed) {
  start({.max_in_flight = 3});
  for (int i = 0; i < 10; ++i) append(std::to_string(i), "v");
  EXPECT_EQ(recorder_.handed.size(), 3u);
  finish(recorder_.handed.front().key);
  EXPECT_EQ(recorder_.handed.size(), 3u);
  EXPECT_EQ(recorder_.order.size(), 4u);
}

TEST_F(Processors, HandOutNoMoreBytesThanAllowedButOneRecordAlways) {
  start({.max_in_flight_bytes = 100});
  append("large", std::string(1'000, 'x'));
  append("a", std::string(60, 'x'));
  append("b", std::string(60, 'x'));
  EXPECT_EQ(recorder_.handed.size(), 1u);
  finish("large");
  EXPECT_EQ(recorder_.handed.size(), 1u);
  EXPECT_TRUE(recorder_.has("a"));
  finish("a");
  EXPECT_TRUE(recorder_.has("b"));
}

TEST_F(Processors, ReadNoFurtherAheadThanAllowed) {
  for (int i = 0; i < 1'000; ++i) queue_.append("topic", "same key", std::string(100, 'x'));
  start({.prefetch_records = 10});
  EXPECT_LE(counts().in_flight, 1);
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(fermata_processor_prefetched{service="crr",location="paris",processor="replicate"} 9)"));
  for (int i = 0; i < 1'000; ++i) finish("same key");
  EXPECT_EQ(counts().processed, 1'000);
}

TEST_F(Processors, ReadNoMoreBytesAheadThanAllowed) {
  for (int i = 0; i < 100; ++i) queue_.append("topic", "same key", std::string(92, 'x'));
  start({.prefetch_bytes = 1'000});
  EXPECT_THAT(metrics_.text(),
              HasSubstr(R"(fermata_processor_prefetched_bytes{service="crr",location="paris",processor="replicate"} 900)"));
  for (int i = 0; i < 100; ++i) finish("same key");
  EXPECT_EQ(counts().processed, 100);
}

TEST_F(Processors, RetryAfterABackOffWhileOtherKeysGoOn) {
  start();
  append("a", "a1");
  append("a", "a2");
  finish("a", Outcome::kRetry, "target unreachable");
  EXPECT_EQ(counts().retrying, 1);
  EXPECT_EQ(counts().in_flight, 0);
  EXPECT_EQ(counts().last_error, "target unreachable");
  append("b", "b1");
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "b1"));
  executor_.advance(249ms);
  EXPECT_FALSE(recorder_.has("a"));
  executor_.advance(251ms);
  ASSERT_TRUE(recorder_.has("a"));
  EXPECT_EQ(recorder_.handed.back().attempt, 2u);
  EXPECT_EQ(counts().retrying, 0);
  finish("a");
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "b1", "a1", "a2"));
}

TEST_F(Processors, WaitLongerWithEachAttempt) {
  start({.retry_first = 100ms, .retry_max = 400ms});
  append("a", "a1");
  for (const auto longest : {100ms, 200ms, 400ms, 400ms}) {
    finish("a", Outcome::kRetry, "no");
    executor_.advance(longest / 2 - 1ms);
    EXPECT_FALSE(recorder_.has("a"));
    executor_.advance(longest / 2 + 1ms);
    EXPECT_TRUE(recorder_.has("a"));
  }
}

TEST_F(Processors, KeepOneTimerForAllRetries) {
  start({.max_in_flight = 1'000});
  for (int i = 0; i < 100; ++i) append(std::to_string(i), "v");
  for (int i = 0; i < 100; ++i) finish(std::to_string(i), Outcome::kRetry, "no");
  EXPECT_EQ(pipeline_timers(), 1u);
  executor_.advance(500ms);
  EXPECT_EQ(recorder_.handed.size(), 100u);
}

TEST_F(Processors, DoNotRetryWhileTheGateIsClosed) {
  start();
  append("a", "a1");
  finish("a", Outcome::kRetry, "no");
  pipelines_->set_gate("paris", false);
  executor_.advance(10s);
  EXPECT_FALSE(recorder_.has("a"));
  EXPECT_TRUE(counts().quiet);
  EXPECT_EQ(counts().retrying, 1);
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_TRUE(recorder_.has("a"));
}

TEST_F(Processors, SayOfWhatWasThereAtTheirAssignmentThatItMayHaveBeenDelivered) {
  start();
  append("a", "a1");
  EXPECT_TRUE(recorder_.handed.back().redelivered);
  executor_.advance(1min);
  queue_.stamp(to_unix_ms(executor_.now()));
  append("b", "b1");
  EXPECT_FALSE(recorder_.handed.back().redelivered);
  finish("b", Outcome::kPostpone, "down");
  executor_.advance(1min);
  ASSERT_TRUE(recorder_.has("b"));
  EXPECT_TRUE(recorder_.handed.back().redelivered);
}

TEST_F(Processors, DeliverAtOnceWhatWaitsWhenTheyAreToHurry) {
  start({.retry_first = 60'000ms, .retry_max = 60'000ms});
  for (const auto* key : {"a", "b"}) {
    append(key, "1");
    finish(key, Outcome::kPostpone, "the target is down");
  }
  pipelines_->hurry("oslo");
  executor_.run_ready();
  EXPECT_FALSE(recorder_.has("a"));
  pipelines_->hurry("paris");
  executor_.run_ready();
  EXPECT_TRUE(recorder_.has("a"));
  EXPECT_TRUE(recorder_.has("b"));
  EXPECT_EQ(counts().retrying, 0);
}

TEST_F(Processors, GiveUpAfterTheLastAttemptAndGoOn) {
  start({.max_attempts = 2});
  append("a", "a1");
  append("a", "a2");
  EXPECT_FALSE(recorder_.handed.back().last_attempt);
  finish("a", Outcome::kRetry, "no");
  executor_.advance(1s);
  EXPECT_TRUE(recorder_.handed.back().last_attempt);
  finish("a", Outcome::kRetry, "still no");
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "a1", "a2"));
  EXPECT_EQ(counts().failed, 1);
  const auto failed = pipelines_->failed("paris", {}, 10);
  ASSERT_TRUE(failed);
  ASSERT_EQ(failed->size(), 1u);
  EXPECT_EQ(failed->front().value, "a1");
  EXPECT_EQ(failed->front().attempts, 2u);
  EXPECT_EQ(failed->front().reason, "gave up after 2 attempts: still no");
}

TEST_F(Processors, NeverGiveUpAPostponedRecordButCountItsRetries) {
  start({.max_attempts = 2, .retry_first = 100ms, .retry_max = 400ms});
  append("a", "a1");
  for (const auto longest : {100ms, 200ms, 400ms, 400ms}) {
    finish("a", Outcome::kPostpone, "the target is down");
    EXPECT_EQ(counts().retrying, 1);
    EXPECT_EQ(counts().last_error, "the target is down");
    executor_.advance(longest / 2 - 1ms);
    EXPECT_FALSE(recorder_.has("a"));
    executor_.advance(longest / 2 + 1ms);
    ASSERT_TRUE(recorder_.has("a"));
    EXPECT_EQ(counts().retrying, 0);
    EXPECT_EQ(recorder_.handed.back().attempt, 1u);
    EXPECT_FALSE(recorder_.handed.back().last_attempt);
  }
  finish("a", Outcome::kRetry, "no");
  executor_.advance(400ms);
  EXPECT_EQ(recorder_.handed.back().attempt, 2u);
  EXPECT_TRUE(recorder_.handed.back().last_attempt);
  finish("a", Outcome::kPostpone, "down again");
  executor_.advance(400ms);
  EXPECT_EQ(counts().failed, 0);
  finish("a", Outcome::kRetry, "still no");
  EXPECT_EQ(counts().failed, 1);
  EXPECT_EQ(pipelines_->failed("paris", {}, 10)->front().attempts, 2u);
}

TEST_F(Processors, StoreAFailedRecordBeforeItsOffsetIsPassed) {
  start();
  append("a", "a1");
  kv_.set_down("disk full");
  finish("a", Outcome::kFailed, "access denied");
  executor_.advance(100ms);
  EXPECT_EQ(committed(), 0);
  EXPECT_EQ(counts().failed, 0);
  EXPECT_EQ(counts().retrying, 1);
  EXPECT_THAT(counts().last_error, HasSubstr("disk full"));
  kv_.set_down("");
  executor_.advance(1s);
  finish("a", Outcome::kFailed, "access denied");
  executor_.advance(1s);
  EXPECT_EQ(committed(), 1);
  EXPECT_EQ(pipelines_->failed("paris", {}, 10)->front().reason, "access denied");
}

TEST_F(Processors, TakeADroppedCompletionForARetry) {
  start();
  append("a", "a1");
  recorder_.handed.clear();
  executor_.run_ready();
  EXPECT_EQ(counts().in_flight, 0);
  EXPECT_EQ(counts().retrying, 1);
  EXPECT_THAT(counts().last_error, HasSubstr("dropped"));
  executor_.advance(1s);
  EXPECT_TRUE(recorder_.has("a"));
}

TEST_F(Processors, TakeAnExceptionForARetryWithItsText) {
  bool threw = false;
  pipelines_ = make();
  auto spec = recorder_.spec();
  spec.process = [&threw, record = spec.process](const DeliveredRecord& delivered, Complete complete) {
    if (!std::exchange(threw, true)) throw std::runtime_error("no route to host");
    record(delivered, std::move(complete));
  };
  ASSERT_TRUE(pipelines_->add_processor(std::move(spec)));
  ASSERT_TRUE(pipelines_->start());
  pipelines_->set_gate("paris", true);
  append("a", "a1");
  EXPECT_THAT(counts().last_error, HasSubstr("no route to host"));
  EXPECT_EQ(counts().retrying, 1);
  executor_.advance(1s);
  EXPECT_TRUE(recorder_.has("a"));
}

TEST_F(Processors, CountOnlyTheFirstCompletion) {
  start();
  append("a", "a1");
  append("a", "a2");
  const Complete complete = recorder_.handed.front().complete;
  finish("a");
  complete(Outcome::kDone, {});
  complete(Outcome::kFailed, "too late");
  executor_.run_ready();
  EXPECT_EQ(counts().processed, 1);
  EXPECT_EQ(counts().in_flight, 1);
  EXPECT_EQ(counts().failed, 0);
}

TEST_F(Processors, CompleteInsideProcessWithoutGrowingTheStack) {
  for (int i = 0; i < 100'000; ++i) queue_.append("topic", std::to_string(i % 100), "v");
  pipelines_ = make();
  const char* highest = nullptr;
  const char* lowest = nullptr;
  auto spec = recorder_.spec();
  spec.process = [&](const DeliveredRecord&, const Complete& complete) {
    const char here = 0;
    if (highest == nullptr) highest = lowest = &here;
    highest = std::max(highest, &here);
    lowest = std::min(lowest, &here);
    complete(Outcome::kDone, {});
  };
  ASSERT_TRUE(pipelines_->add_processor(std::move(spec)));
  ASSERT_TRUE(pipelines_->start());
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_EQ(counts().processed, 100'000);
  EXPECT_LT(highest - lowest, 4'096);
}

TEST_F(Processors, SkipCanaryRecords) {
  start();
  append("canary", "x");
  append("a", "a1");
  EXPECT_THAT(recorder_.order, ElementsAre("a1"));
  finish("a");
  executor_.advance(1s);
  EXPECT_EQ(committed(), 2);
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(processor="replicate",outcome="skipped"} 1)"));
}

TEST_F(Processors, CommitWhatIsDoneOfARevokedPartitionAndForgetTheRest) {
  start({.max_in_flight = 2});
  const auto [partition, first] = queue_.append("topic", "a", "a1");
  queue_.append("topic", "a", "a2");
  queue_.append("topic", "a", "a3");
  executor_.run_ready();
  recorder_.finish("a");
  executor_.run_ready();
  queue_.revoke("topic", "crr-paris", {partition});
  executor_.run_ready();
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first + 1);
  finish("a");
  executor_.advance(2s);
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "a2"));
  EXPECT_EQ(counts().processed, 2);
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first + 1);
}

TEST_F(Processors, LetWhatIsInFlightOfARevokedPartitionEndAndCommitIt) {
  start({.revoke_patience = 20s});
  const auto [partition, first] = queue_.append("topic", "a", "a1");
  queue_.append("topic", "a", "a2");
  executor_.run_ready();
  queue_.revoke("topic", "crr-paris", {partition});
  std::thread rebalance([&] { executor_.run_ready(); });
  std::this_thread::sleep_for(50ms);  // most probably it waits by now; it must come right either way
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first);
  recorder_.finish("a");
  rebalance.join();
  executor_.run_ready();
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first + 1);
  EXPECT_THAT(recorder_.order, ElementsAre("a1")) << "the second is for whoever has the partition now";
}

TEST_F(Processors, StartAPartitionThatComesBackAtItsCommittedOffset) {
  start();
  const auto [partition, first] = queue_.append("topic", "a", "a1");
  queue_.append("topic", "a", "a2");
  executor_.run_ready();
  queue_.revoke("topic", "crr-paris", {partition});
  executor_.run_ready();
  queue_.assign("topic", "crr-paris", {partition});
  executor_.run_ready();
  EXPECT_THAT(recorder_.order, ElementsAre("a1"));  // the first delivery is still in flight
  finish("a", Outcome::kRetry, "in vain");
  EXPECT_EQ(counts().retrying, 0);
  finish("a");
  finish("a");
  executor_.advance(2s);
  EXPECT_THAT(recorder_.order, ElementsAre("a1", "a1", "a2"));
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), first + 2);
}

TEST_F(Processors, ForgetTheRetriesOfARevokedPartition) {
  start();
  const auto partition = queue_.append("topic", "a", "a1").first;
  executor_.run_ready();
  finish("a", Outcome::kRetry, "no");
  queue_.revoke("topic", "crr-paris", {partition});
  executor_.run_ready();
  EXPECT_EQ(counts().retrying, 0);
  executor_.advance(10s);
  EXPECT_TRUE(recorder_.handed.empty());
}

TEST_F(Processors, GoOnWhenTheQueueIsBack) {
  start();
  queue_.set_down("broker away");
  append("a", "a1");
  EXPECT_TRUE(recorder_.handed.empty());
  EXPECT_THAT(counts().last_error, HasSubstr("broker away"));
  queue_.set_down("");
  executor_.run_ready();
  EXPECT_TRUE(recorder_.has("a"));
}

TEST_F(Processors, ReportTheLagAlsoWhilePaused) {
  start();
  pipelines_->set_gate("paris", false);
  for (int i = 0; i < 3; ++i) append(std::to_string(i), "v");
  EXPECT_EQ(counts().lag, 3);
}

}  // namespace
}  // namespace fermata::pipeline
