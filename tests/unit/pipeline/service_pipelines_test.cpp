#include "pipeline/service_pipelines.hpp"

#include "base/worker_pool.hpp"
#include "contract/eventually.hpp"
#include "fixture.hpp"
#include "pipeline/failed_store.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

namespace fermata::pipeline {
namespace {

using ::testing::HasSubstr;

class Services : public PipelineTest {};

TEST_F(Services, RefuseRegistrationsThatLackSomething) {
  const auto pipelines = make();
  Recorder recorder;
  for (const auto& [name, break_it] : std::map<std::string, std::function<void(ProcessorSpec&)>>{
           {"name", [](ProcessorSpec& spec) { spec.name = ""; }},
           {"topic", [](ProcessorSpec& spec) { spec.topic = ""; }},
           {"location", [](ProcessorSpec& spec) { spec.location = ""; }},
           {"process", [](ProcessorSpec& spec) { spec.process = nullptr; }},
           {"max_in_flight", [](ProcessorSpec& spec) { spec.max_in_flight = 10'001; }}}) {
    auto spec = recorder.spec();
    break_it(spec);
    const Status status = pipelines->add_processor(std::move(spec));
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(name));
  }
  EXPECT_EQ(pipelines->add_populator({"journal", "topic", "", nullptr}).code(), Code::kInvalidArgument);
}

TEST_F(Services, RefuseANameTwice) {
  const auto pipelines = make();
  Recorder recorder;
  ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
  EXPECT_EQ(pipelines->add_processor(recorder.spec("replicate", "oslo")).code(), Code::kAlreadyExists);
}

TEST_F(Services, StartAgainAfterTheQueueWasAway) {
  const auto pipelines = make();
  Recorder recorder;
  ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
  queue_.set_down("broker away");
  EXPECT_EQ(pipelines->start().code(), Code::kUnavailable);
  queue_.set_down("");
  ASSERT_TRUE(pipelines->start());
  pipelines->set_gate("paris", true);
  queue_.append("topic", "a", "a1");
  executor_.run_ready();
  EXPECT_TRUE(recorder.has("a"));
  recorder.finish_all();
  EXPECT_TRUE(pipelines->stop(1s));
}

TEST_F(Services, CountAFailedRecordOnceAlsoWhenItIsGivenUpAgainAfterARestart) {
  for (int run = 0; run < 2; ++run) {
    const auto pipelines = make();
    Recorder recorder;
    ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
    ASSERT_TRUE(pipelines->start());
    FailedStore store("crr", kv_);
    ASSERT_TRUE(store.put("paris", {FailedStore::make_id("topic", 0, 0), "topic", "replicate", "a", "a1", "no", 1, executor_.now()}));
    pipelines->set_gate("paris", true);
    if (run == 0) queue_.append("topic", "a", "a1");
    executor_.run_ready();
    if (run == 0) recorder.finish("a", Outcome::kFailed, "no");
    EXPECT_EQ(pipelines->counts("paris").failed, 1);
    EXPECT_TRUE(pipelines->stop(1s));
  }
}

TEST_F(Services, StartAlsoWhileTheFailedRecordsCannotBeCountedAndCountThemLater) {
  FailedStore other_node("crr", kv_);
  const auto pipelines = make();
  Recorder recorder;
  ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
  kv_.set_down("no connection");
  EXPECT_TRUE(pipelines->start());
  executor_.run_ready();
  EXPECT_EQ(pipelines->counts("paris").failed, 0);
  kv_.set_down("");
  for (const int offset : {1, 2}) {
    ASSERT_TRUE(other_node.put("paris",
                               {FailedStore::make_id("topic", 0, offset), "topic", "replicate", "key", "value", "no", 1, executor_.now()}));
    executor_.advance(10s);
    EXPECT_EQ(pipelines->counts("paris").failed, offset);
  }
}

TEST_F(Services, GateLocationsOnTheirOwn) {
  const auto pipelines = make();
  Recorder paris;
  Recorder oslo;
  ASSERT_TRUE(pipelines->add_processor(paris.spec("to-paris", "paris")));
  ASSERT_TRUE(pipelines->add_processor(oslo.spec("to-oslo", "oslo")));
  ASSERT_TRUE(pipelines->start());
  pipelines->set_gate("paris", true);
  pipelines->set_gate("oslo", true);
  pipelines->set_gate("oslo", false);
  pipelines->set_gate("nowhere", true);
  queue_.append("topic", "a", "a1");
  executor_.run_ready();
  EXPECT_TRUE(paris.has("a"));
  EXPECT_TRUE(oslo.handed.empty());
  EXPECT_TRUE(pipelines->counts("paris").gate_open);
  EXPECT_TRUE(pipelines->counts("oslo").quiet);
  paris.finish_all();
  EXPECT_TRUE(pipelines->stop(1s));
}

TEST_F(Services, CommitEverythingDoneWhenTheyStop) {
  const auto pipelines = make();
  Recorder recorder;
  ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
  ASSERT_TRUE(pipelines->start());
  pipelines->set_gate("paris", true);
  const auto [partition, offset] = queue_.append("topic", "a", "a1");
  executor_.run_ready();
  recorder.finish("a");
  EXPECT_TRUE(pipelines->stop(1s));
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), offset + 1);
}

TEST_F(Services, SayWhatIsStuckWhenTheyStopAndIgnoreItAfterwards) {
  auto pipelines = make();
  Recorder recorder;
  ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
  ASSERT_TRUE(pipelines->start());
  pipelines->set_gate("paris", true);
  const auto [partition, offset] = queue_.append("topic", "a", "a1");
  queue_.append("topic", "b", "b1");
  executor_.run_ready();
  const Status status = pipelines->stop(10ms);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("2 records of processor 'replicate'"));
  recorder.finish("a");
  executor_.run_ready();
  EXPECT_EQ(queue_.committed("topic", "crr-paris", partition), offset);
  pipelines.reset();
  recorder.finish("b", Outcome::kFailed, "after the end");
  executor_.run_ready();
  EXPECT_TRUE(kv_.scan("crr/failed", {}, {}, 10)->empty());
}

TEST_F(Services, SayThatAPollIsStuckWhenTheyStop) {
  auto pipelines = make();
  std::function<void(Result<PolledBatch>)> finish;
  ASSERT_TRUE(pipelines->add_populator({"journal", "topic", "", [&](const std::string&, auto promise) { finish = std::move(promise); }}));
  ASSERT_TRUE(pipelines->start());
  executor_.run_ready();
  ASSERT_TRUE(finish);
  EXPECT_THAT(pipelines->stop(10ms).message(), HasSubstr("a poll of populator 'journal'"));
  pipelines.reset();
  finish(PolledBatch{{{"topic", "k", "v"}}, "1"});
  executor_.run_ready();
  EXPECT_TRUE(queue_.records("topic").empty());
}

TEST_F(Services, ShowTheLatestErrorOfALocation) {
  const auto pipelines = make();
  Recorder one;
  Recorder two;
  ASSERT_TRUE(pipelines->add_processor(one.spec("one")));
  ASSERT_TRUE(pipelines->add_processor([&] {
    auto spec = two.spec("two");
    spec.group = "other";
    return spec;
  }()));
  ASSERT_TRUE(pipelines->start());
  pipelines->set_gate("paris", true);
  queue_.append("topic", "a", "a1");
  executor_.run_ready();
  two.finish("a", Outcome::kFailed, "earlier");
  executor_.advance(1s);
  one.finish("a", Outcome::kFailed, "later");
  executor_.run_ready();
  const auto counts = pipelines->counts("paris");
  EXPECT_EQ(counts.last_error, "later");
  EXPECT_EQ(counts.last_error_at, executor_.now());
  EXPECT_EQ(counts.failed, 1) << "it is the same record, in the store once";
  EXPECT_TRUE(pipelines->stop(1s));
}

TEST_F(Services, TellOnceAboutAnErrorThatRepeats) {
  const auto pipelines = make({.retry_first = 1ms, .retry_max = 1ms});
  int changes = 0;
  pipelines->on_change([&](std::string_view) { ++changes; });
  Recorder recorder;
  ASSERT_TRUE(pipelines->add_processor(recorder.spec()));
  ASSERT_TRUE(pipelines->start());
  pipelines->set_gate("paris", true);
  queue_.append("topic", "a", "a1");
  executor_.run_ready();
  changes = 0;
  for (int i = 0; i < 5; ++i) {
    recorder.finish("a", Outcome::kRetry, "target away");
    executor_.advance(1ms);
  }
  EXPECT_EQ(changes, 1);
  recorder.finish_all();
  EXPECT_TRUE(pipelines->stop(1s));
}

TEST_F(Services, KeepTenThousandIdleProcessorsWithoutTimersOrTasksOfTheirOwn) {
  const auto pipelines = make();
  for (int i = 0; i < 10'000; ++i) {
    const std::string name = std::to_string(i);
    ASSERT_TRUE(pipelines->add_processor(
        {name, "topic", name, {}, 0, [](const DeliveredRecord&, const Complete& complete) { complete(Outcome::kDone, {}); }}));
  }
  ASSERT_TRUE(pipelines->start());
  for (int i = 0; i < 10'000; ++i) pipelines->set_gate(std::to_string(i), true);
  executor_.run_ready();
  EXPECT_EQ(pipeline_timers(), 0u);
  queue_.append("topic", "a", "a1");
  executor_.run_ready();
  EXPECT_EQ(pipeline_timers(), 1u);  // all commits wait for the same
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(pipelines->counts(std::to_string(i)).processed, 1);
  EXPECT_TRUE(pipelines->stop(10s));
}

class RetryingFailed : public Services {
 protected:
  // The acknowledgement must come while retry_failed waits.
  void SetUp() override {
    pipelines_ = std::make_unique<ServicePipelines>(
        "crr", "/backbeat/crr", PipelineOptions{},
        ServicePipelines::Dependencies{pool_queue_, kv_, store_, leases_, pool_, pool_, executor_, log_, metrics_});
    FailedStore store("crr", kv_);
    for (int offset = 0; offset < 250; ++offset)
      ASSERT_TRUE(store.put("paris", {FailedStore::make_id("topic", 0, offset), "topic", "replicate", "key", std::to_string(offset), "no",
                                      1, executor_.now()}));
  }
  std::vector<std::string> ids() {
    std::vector<std::string> all;
    const auto failed = pipelines_->failed("paris", {}, 1'000);
    for (const auto& record : *failed) all.push_back(record.id);
    return all;
  }

  WorkerPool pool_{"test", 1};
  testing::FakeQueue pool_queue_{pool_};
  std::unique_ptr<ServicePipelines> pipelines_;
};

TEST_F(RetryingFailed, CountsThoseOfEarlierRunsAndNoLongerThoseRetried) {
  Recorder recorder;
  ASSERT_TRUE(pipelines_->add_processor(recorder.spec()));
  ASSERT_TRUE(pipelines_->start());
  EXPECT_TRUE(testing::eventually([&] { return pipelines_->counts("paris").failed == 250; }));
  auto wanted = ids();
  wanted.resize(249);
  wanted.push_back("topic/00000/no-such-record");
  ASSERT_TRUE(pipelines_->retry_failed("paris", wanted));
  EXPECT_EQ(pipelines_->counts("paris").failed, 1);
  EXPECT_TRUE(pipelines_->stop(1s));
  pipelines_.reset();

  const auto next = make();
  ASSERT_TRUE(next->add_processor(recorder.spec()));
  ASSERT_TRUE(next->start());
  executor_.run_ready();
  EXPECT_EQ(next->counts("paris").failed, 1);
}

TEST_F(RetryingFailed, AppendsTheRecordsAgainAndRemovesThem) {
  auto wanted = ids();
  ASSERT_EQ(wanted.size(), 250u);
  const std::string kept = wanted.back();
  wanted.back() = "topic/00000/no-such-record";
  const auto retried = pipelines_->retry_failed("paris", wanted);
  ASSERT_TRUE(retried) << retried.status().text();
  EXPECT_EQ(*retried, 249u);
  EXPECT_THAT(ids(), ::testing::ElementsAre(kept));
  EXPECT_EQ(pool_queue_.records("topic").size(), 249u);
  EXPECT_EQ(pool_queue_.records("topic").front().value, "0");
}

TEST_F(RetryingFailed, LosesNothingWhenTwoNodesAreAskedForTheSameAtOnce) {
  ServicePipelines other("crr", "/backbeat/crr", {}, {pool_queue_, kv_, store_, leases_, pool_, pool_, executor_, log_, metrics_});
  const auto wanted = ids();
  std::thread thread([&] { EXPECT_TRUE(other.retry_failed("paris", wanted)); });
  EXPECT_TRUE(pipelines_->retry_failed("paris", wanted));
  thread.join();
  EXPECT_THAT(ids(), ::testing::IsEmpty());
  std::vector<int> firsts;  // what is there for the second time repeats what is done
  for (const auto& record : pool_queue_.records("topic"))
    if (std::ranges::find(firsts, std::stoi(record.value)) == firsts.end()) firsts.push_back(std::stoi(record.value));
  EXPECT_EQ(firsts.size(), 250u);
  EXPECT_TRUE(std::ranges::is_sorted(firsts)) << "all have one key";
}

TEST_F(RetryingFailed, KeepsThemWhenTheQueueDoesNotTakeThem) {
  pool_queue_.fail_produce(1, {Code::kUnavailable, "broker away"});
  EXPECT_EQ(pipelines_->retry_failed("paris", ids()).status().code(), Code::kUnavailable);
  EXPECT_EQ(ids().size(), 250u);
}

}  // namespace
}  // namespace fermata::pipeline
