// Populators, seen through ServicePipelines.

#include "fixture.hpp"

#include <gmock/gmock.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace fermata::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kPath = "/backbeat/crr/populators/journal";
constexpr std::string_view kLease = "populator/crr/journal";

class Populators : public PipelineTest {
 protected:
  using Finish = std::function<void(Result<PolledBatch>)>;

  void start(std::string location = "paris") {
    pipelines_ = make();
    ASSERT_TRUE(pipelines_->add_populator({"journal", "topic", std::move(location), [this](std::string checkpoint, Finish finish) {
                                             polls_.push_back(std::move(checkpoint));
                                             finish_ = std::move(finish);
                                           }}));
    ASSERT_TRUE(pipelines_->start());
    pipelines_->set_gate("paris", true);
    executor_.run_ready();
  }
  void finish(Result<PolledBatch> batch) {
    ASSERT_TRUE(finish_) << "no poll is under way";
    std::exchange(finish_, nullptr)(std::move(batch));
    executor_.run_ready();
  }
  static PolledBatch batch(std::string value, std::string next, std::chrono::milliseconds idle = 0ms) {
    return {{{"topic", "key", std::move(value)}}, std::move(next), idle};
  }
  std::string saved() {
    const auto entry = store_.get(kPath);
    return entry && entry->has_value() ? (*entry)->data : "none";
  }
  std::vector<std::string> produced() {
    std::vector<std::string> values;
    for (const auto& record : queue_.records("topic")) values.push_back(record.value);
    return values;
  }
  LocationCounts counts() const { return pipelines_->counts("paris"); }
  void TearDown() override {
    finish_ = nullptr;
    executor_.run_ready();
    if (pipelines_) (void)pipelines_->stop(0ms);
  }

  std::vector<std::string> polls_;  // the checkpoints they began from
  Finish finish_;
  std::unique_ptr<ServicePipelines> pipelines_;
};

TEST_F(Populators, ProduceThenSaveThenPollFromTheNextCheckpoint) {
  start();
  EXPECT_THAT(polls_, ElementsAre(""));
  finish(batch("r1", "1"));
  EXPECT_THAT(produced(), ElementsAre("r1"));
  EXPECT_EQ(saved(), "1");
  EXPECT_THAT(polls_, ElementsAre("", "1"));
  finish(batch("r2", "2"));
  EXPECT_EQ(saved(), "2");
  EXPECT_THAT(polls_, ElementsAre("", "1", "2"));
  EXPECT_EQ(counts().processed, 2);
}

TEST_F(Populators, SaveNoCheckpointBeforeTheRecordsAreDurable) {
  start();
  queue_.hold_produce(true);
  finish(batch("r1", "1"));
  EXPECT_EQ(saved(), "none");
  EXPECT_EQ(polls_.size(), 1u);
  queue_.hold_produce(false);
  executor_.run_ready();
  EXPECT_EQ(saved(), "1");
}

TEST_F(Populators, BeginWhereTheLastOneSaved) {
  ASSERT_TRUE(write_one(store_, {StateWrite::Kind::kCreate, std::string(kPath), "41"}));
  start();
  EXPECT_THAT(polls_, ElementsAre("41"));
  finish(batch("r", "42"));
  EXPECT_EQ(saved(), "42");
}

TEST_F(Populators, ShowTheErrorOfOneWithoutALocationAtEveryLocation) {
  Recorder recorder;
  pipelines_ = make();
  ASSERT_TRUE(pipelines_->add_processor(recorder.spec()));
  ASSERT_TRUE(pipelines_->add_populator({"journal", "topic", "", [this](std::string, Finish finish) { finish_ = std::move(finish); }}));
  ASSERT_TRUE(pipelines_->start());
  executor_.run_ready();
  EXPECT_EQ(counts().last_error, "");
  finish(Status(Code::kUnavailable, "source away"));
  EXPECT_THAT(counts().last_error, HasSubstr("populator 'journal'"));
  EXPECT_THAT(counts().last_error, HasSubstr("source away"));
  EXPECT_TRUE(counts().quiet) << "its cycles are not those of the location";
}

TEST_F(Populators, LogAnErrorOncePerText) {
  const std::string file = ::testing::TempDir() + "populator_log_" + std::to_string(::getpid());
  auto log = std::make_unique<telemetry::Log>(telemetry::Log::Options{.level = telemetry::Level::kWarn, .file = file});
  auto given = dependencies();
  pipelines_ =
      std::make_unique<ServicePipelines>("crr", "/backbeat/crr", PipelineOptions{},
                                         ServicePipelines::Dependencies{given.queue, given.kv, given.store, given.leases, given.workers,
                                                                        given.control, given.clock, *log, given.metrics});
  ASSERT_TRUE(pipelines_->add_populator({"journal", "topic", "", [this](std::string, Finish finish) { finish_ = std::move(finish); }}));
  ASSERT_TRUE(pipelines_->start());
  executor_.run_ready();
  for (const auto* text : {"source away", "source away", "source on fire"}) {
    finish(Status(Code::kUnavailable, text));
    executor_.advance(2min);
  }
  (void)pipelines_->stop(0ms);
  finish_ = nullptr;
  pipelines_.reset();
  log.reset();  // which writes what waits
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr("journal"));
  EXPECT_THAT(lines[1], HasSubstr("source on fire"));
  std::remove(file.c_str());
}

TEST_F(Populators, WaitWhileThereIsNothingToRead) {
  start();
  finish(PolledBatch{{}, "", 300ms});
  executor_.advance(299ms);
  EXPECT_EQ(polls_.size(), 1u);
  executor_.advance(1ms);
  EXPECT_EQ(polls_.size(), 2u);
  EXPECT_EQ(saved(), "none");
}

TEST_F(Populators, PollAtOnceWhenWokenFromTheirIdleTime) {
  start();
  finish(PolledBatch{{}, "", 1h});
  pipelines_->wake_populator("journal");
  executor_.run_ready();
  EXPECT_EQ(polls_.size(), 2u);
  EXPECT_EQ(pipeline_timers(), 0u);
}

TEST_F(Populators, RememberAWakeThatComesDuringAPoll) {
  start();
  pipelines_->wake_populator("journal");
  finish(PolledBatch{{}, "", 1h});
  EXPECT_EQ(polls_.size(), 2u);
  finish(PolledBatch{{}, "", 1h});
  EXPECT_EQ(polls_.size(), 2u);
}

TEST_F(Populators, BeginNoPollWhileTheGateIsClosedButFinishTheBatchInHand) {
  start();
  pipelines_->set_gate("paris", false);
  EXPECT_FALSE(counts().quiet);
  EXPECT_EQ(counts().in_flight, 1);
  queue_.hold_produce(true);
  finish(batch("r1", "1"));
  EXPECT_FALSE(counts().quiet);
  queue_.hold_produce(false);
  executor_.run_ready();
  EXPECT_EQ(saved(), "1");
  EXPECT_TRUE(counts().quiet);
  pipelines_->wake_populator("journal");
  executor_.advance(1h);
  EXPECT_EQ(polls_.size(), 1u);
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_THAT(polls_, ElementsAre("", "1"));
}

TEST_F(Populators, BeginNoPollWhoseGateClosedBeforeItsTaskRan) {
  start();
  finish(PolledBatch{{}, "", 1h});
  pipelines_->wake_populator("journal");  // posts the poll
  pipelines_->set_gate("paris", false);
  executor_.run_ready();
  EXPECT_EQ(polls_.size(), 1u);
  EXPECT_TRUE(counts().quiet);
}

TEST_F(Populators, TellWhenTheyBecomeQuiet) {
  start();
  int changes = 0;
  pipelines_->on_change([&](std::string_view) { ++changes; });
  pipelines_->set_gate("paris", false);
  executor_.run_ready();
  EXPECT_EQ(changes, 0);
  finish(PolledBatch{{}, "", 1s});
  EXPECT_TRUE(counts().quiet);
  EXPECT_EQ(changes, 1);
}

TEST_F(Populators, ThatHaveNoLocationNeverPause) {
  start("");
  pipelines_->set_gate("", false);
  finish(batch("r1", "1"));
  EXPECT_EQ(polls_.size(), 2u);
}

TEST_F(Populators, BackOffAfterAnErrorAndReadTheCheckpointAgain) {
  start();
  finish(batch("r1", "1"));
  finish(Status(Code::kUnavailable, "journal away"));
  EXPECT_THAT(counts().last_error, HasSubstr("journal away"));
  pipelines_->wake_populator("journal");
  executor_.advance(249ms);
  EXPECT_EQ(polls_.size(), 2u);
  executor_.advance(251ms);
  EXPECT_THAT(polls_, ElementsAre("", "1", "1"));
}

TEST_F(Populators, TakeADroppedPollForAnError) {
  start();
  finish_ = nullptr;
  executor_.run_ready();
  EXPECT_THAT(counts().last_error, HasSubstr("dropped"));
  executor_.advance(1s);
  EXPECT_EQ(polls_.size(), 2u);
}

TEST_F(Populators, TakeAnExceptionForAnErrorWithItsText) {
  pipelines_ = make();
  ASSERT_TRUE(pipelines_->add_populator(
      {"journal", "topic", "paris", [](const std::string&, const Finish&) { throw std::runtime_error("bad journal"); }}));
  ASSERT_TRUE(pipelines_->start());
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_THAT(counts().last_error, HasSubstr("bad journal"));
}

TEST_F(Populators, OfferTheSameBatchAgainWhenTheProducerIsFull) {
  start();
  queue_.refuse_produce(3);
  finish(batch("r1", "1"));
  EXPECT_EQ(saved(), "none");
  executor_.advance(1s);
  EXPECT_THAT(produced(), ElementsAre("r1"));
  EXPECT_EQ(saved(), "1");
  EXPECT_EQ(polls_.size(), 2u);
}

TEST_F(Populators, PollAgainFromTheOldCheckpointWhenProducingFailed) {
  start();
  queue_.fail_produce(1, {Code::kUnavailable, "broker away"});
  finish(batch("r1", "1"));
  EXPECT_EQ(saved(), "none");
  EXPECT_THAT(counts().last_error, HasSubstr("broker away"));
  executor_.advance(1s);
  EXPECT_THAT(polls_, ElementsAre("", ""));
  finish(batch("r1", "1"));
  EXPECT_EQ(saved(), "1");
}

TEST_F(Populators, ReadAgainWhenAnotherWriterMovedTheCheckpoint) {
  start();
  finish(batch("r1", "1"));
  ASSERT_TRUE(write_one(store_, {StateWrite::Kind::kPut, std::string(kPath), "7"}));
  finish(batch("r2", "2"));
  EXPECT_EQ(saved(), "7");
  executor_.advance(1s);
  EXPECT_THAT(polls_, ElementsAre("", "1", "7"));
}

TEST_F(Populators, FindOutWhetherASaveWithoutAnAnswerHappened) {
  start();
  store_.lose_answers(1);
  finish(batch("r1", "1"));
  executor_.advance(1s);
  EXPECT_THAT(polls_, ElementsAre("", "1"));
  finish(batch("r2", "2"));
  EXPECT_EQ(saved(), "2");
}

TEST_F(Populators, WaitForTheStateStore) {
  store_.set_down("ensemble away");
  start();
  EXPECT_TRUE(polls_.empty());
  EXPECT_THAT(counts().last_error, HasSubstr("ensemble away"));
  store_.set_down("");
  executor_.advance(2s);
  EXPECT_EQ(polls_.size(), 1u);
}

TEST_F(Populators, RefuseACheckpointThatIsTooLarge) {
  start();
  finish(batch("r1", std::string(70'000, 'x')));
  EXPECT_THAT(counts().last_error, HasSubstr("at most 65536"));
  EXPECT_TRUE(produced().empty());
}

class PopulatorsWithoutLease : public Populators {
 protected:
  ServicePipelines::Dependencies with(Leases& leases) {
    return {queue_, kv_, store_, leases, executor_, executor_, executor_, log_, metrics_};
  }
  void start_without_lease() {
    pipelines_ = std::make_unique<ServicePipelines>("crr", "/backbeat/crr", PipelineOptions{}, with(scarce_));
    ASSERT_TRUE(pipelines_->add_populator({"journal", "topic", "paris", [this](std::string checkpoint, Finish finish) {
                                             polls_.push_back(std::move(checkpoint));
                                             finish_ = std::move(finish);
                                           }}));
    ASSERT_TRUE(pipelines_->start());
    pipelines_->set_gate("paris", true);
    executor_.run_ready();
  }

  // As another node that was granted the lease meanwhile.
  void move_checkpoint(StateWrite::Kind kind, std::string to) { ASSERT_TRUE(write_one(store_, {kind, std::string(kPath), std::move(to)})); }

  testing::FakeLeases scarce_{executor_, false};
};

TEST_F(PopulatorsWithoutLease, ThatWereStalledMoveNoCheckpointOfTheNextHolderAndStop) {
  start_without_lease();
  scarce_.grant(kLease);
  executor_.run_ready();
  finish(batch("r1", "1"));
  move_checkpoint(StateWrite::Kind::kPut, "3");
  finish(batch("r2", "2"));  // woken up, and not told yet that the lease is lost
  EXPECT_EQ(saved(), "3");
  EXPECT_THAT(produced(), ElementsAre("r1", "r2")) << "the next holder produced r2 too: it began at 1";
  scarce_.lose(kLease);
  executor_.advance(1h);
  EXPECT_EQ(polls_.size(), 2u);
  EXPECT_EQ(saved(), "3");
  EXPECT_EQ(counts().in_flight, 0);
}

TEST_F(PopulatorsWithoutLease, ThatWereStalledInTheirFirstBatchMoveNoCheckpointEither) {
  start_without_lease();
  scarce_.grant(kLease);
  executor_.run_ready();
  move_checkpoint(StateWrite::Kind::kCreate, "3");
  finish(batch("r1", "1"));
  EXPECT_EQ(saved(), "3");
}

TEST_F(PopulatorsWithoutLease, SaveNothingWhenTheLeaseIsLostWhileTheStoreAnswers) {
  start_without_lease();
  scarce_.grant(kLease);
  executor_.run_ready();
  finish(batch("r1", "1"));
  store_.before_next_write([&] {
    move_checkpoint(StateWrite::Kind::kPut, "3");
    scarce_.lose(kLease);
    scarce_.grant(kLease);
  });
  finish(batch("r2", "2"));
  EXPECT_EQ(saved(), "3");
  executor_.advance(1min);
  EXPECT_THAT(polls_, ElementsAre("", "1", "3"));
}

TEST_F(PopulatorsWithoutLease, ArePausedAndRunningWithoutIt) {
  start_without_lease();
  int changes = 0;
  pipelines_->on_change([&](std::string_view location) { changes += location == "paris" ? 1 : 0; });
  EXPECT_TRUE(counts().gate_open);
  pipelines_->set_gate("paris", false);
  executor_.run_ready();
  EXPECT_TRUE(counts().quiet);
  EXPECT_EQ(changes, 1);
  pipelines_->set_gate("paris", true);
  executor_.run_ready();
  EXPECT_FALSE(counts().quiet);
  EXPECT_EQ(changes, 2);
}

TEST_F(PopulatorsWithoutLease, ReadNothingUntilTheLeaseIsGranted) {
  start_without_lease();
  EXPECT_TRUE(polls_.empty());
  scarce_.grant(kLease);
  executor_.run_ready();
  EXPECT_EQ(polls_.size(), 1u);
}

TEST_F(PopulatorsWithoutLease, ProduceAndSaveNothingAfterTheLeaseIsLost) {
  start_without_lease();
  scarce_.grant(kLease);
  executor_.run_ready();
  scarce_.lose(kLease);
  executor_.run_ready();
  finish(batch("r1", "1"));
  EXPECT_TRUE(produced().empty());
  EXPECT_EQ(saved(), "none");
  executor_.advance(1h);
  EXPECT_EQ(polls_.size(), 1u);
}

TEST_F(PopulatorsWithoutLease, SaveNothingWhenTheLeaseIsLostWhileProducing) {
  start_without_lease();
  scarce_.grant(kLease);
  executor_.run_ready();
  queue_.hold_produce(true);
  finish(batch("r1", "1"));
  scarce_.lose(kLease);
  executor_.run_ready();
  queue_.hold_produce(false);
  executor_.run_ready();
  EXPECT_EQ(saved(), "none");
  EXPECT_EQ(counts().in_flight, 0);
}

TEST_F(PopulatorsWithoutLease, ReadTheCheckpointAnewWhenTheLeaseIsGrantedAgain) {
  start_without_lease();
  scarce_.grant(kLease);
  executor_.run_ready();
  finish(PolledBatch{{}, "", 1h});
  scarce_.lose(kLease);
  ASSERT_TRUE(write_one(store_, {StateWrite::Kind::kCreate, std::string(kPath), "9"}));
  scarce_.grant(kLease);
  executor_.run_ready();
  EXPECT_THAT(polls_, ElementsAre("", "9"));
  finish(batch("r", "10"));
  EXPECT_EQ(saved(), "10");
}

}  // namespace
}  // namespace fermata::pipeline
