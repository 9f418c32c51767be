// A schedule fires exactly once, whichever node sees it first, and survives restarts.
#include "base/time_format.hpp"
#include "fixture.hpp"

namespace fermata::control {
namespace {

class ScheduleTest : public ::testing::Test {
 protected:
  std::string scheduled(WallTime date) { return R"({"paused":true,"scheduledResume":")" + format_iso(date) + "\"}"; }

  Cluster cluster_;
  Node node_{cluster_, "n1"};
};

TEST_F(ScheduleTest, ResumesAtItsTimeAndNotBefore) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 6h));
  cluster_.executor.advance(6h - 1ms);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  cluster_.executor.advance(1ms);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
  EXPECT_FALSE(node_.view("paris").desired.scheduled_resume);
  EXPECT_THAT(cluster_.state("paris"), HasSubstr(R"("paused":false)"));
  EXPECT_THAT(cluster_.state("paris"), ::testing::Not(HasSubstr("scheduledResume")));
}

TEST_F(ScheduleTest, FiresOnceWhenTwoNodesSeeItDue) {
  Node other(cluster_, "n2");
  node_.start();
  other.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  cluster_.messages();
  cluster_.executor.advance(1h + 1min);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
  EXPECT_EQ(other.view("paris").state, ObservedState::kRunning);
  EXPECT_THAT(cluster_.messages(), ElementsAre(R"(backbeat-replication-paris {"action":"resumeService","revision":3})"));
  std::vector<std::string> fired;
  for (auto* node : {&node_, &other})
    for (const auto& action : node->actions())
      if (action == "scheduled-resume") fired.push_back(action);
  EXPECT_EQ(fired.size(), 1u);
}

TEST_F(ScheduleTest, FiresOnceWhenTwoNodesWriteAtTheSameMoment) {
  Node other(cluster_, "n2");
  node_.start();
  other.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  for (auto* node : {&node_, &other})
    node->store->fake.before_next_write([this] { cluster_.force("paris", R"({"paused":false,"by":"another node"})"); });
  cluster_.messages();
  cluster_.executor.advance(2h);
  EXPECT_THAT(cluster_.messages(), IsEmpty());
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":false,"by":"another node"})");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, DoesNotUndoAPauseThatCameBetween) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  node_.store->fake.before_next_write([this] { cluster_.force("paris", R"({"paused":true,"by":"bob"})"); });
  cluster_.executor.advance(2h);
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":true,"by":"bob"})");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ScheduleTest, SurvivesARestart) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  const WallTime date = cluster_.now() + 1h;
  ASSERT_TRUE(node_.schedule("paris", date));
  node_.crash();
  node_.start();
  EXPECT_EQ(node_.view("paris").desired.scheduled_resume, date);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  cluster_.executor.advance(1h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, FiresAtStartWhenItFellDueWhileNothingRan) {
  node_.start();
  ASSERT_TRUE(node_.pause("all"));
  ASSERT_TRUE(node_.schedule("all", cluster_.now() + 1h));
  node_.crash();
  cluster_.executor.advance(2h);
  EXPECT_THAT(cluster_.state("paris"), HasSubstr(R"("paused":true)"));
  node_.start();
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
  EXPECT_EQ(node_.view("london").state, ObservedState::kRunning);
  EXPECT_THAT(cluster_.state("paris"), ::testing::Not(HasSubstr("scheduledResume")));
  EXPECT_EQ(node_.audit()[0].second.location, "all");
}

TEST_F(ScheduleTest, StartAnswersOnlyAfterWhatWasDueIsFired) {
  cluster_.force("paris", scheduled(cluster_.now() - 1s));
  node_.plane = std::make_unique<ControlPlane>(
      ControlPlane::Options{.node_id = "n1"},
      ControlPlane::Dependencies{*node_.store, node_.fanout, node_.leases, node_.kv, cluster_.executor, cluster_.executor, cluster_.log});
  ASSERT_TRUE(node_.plane->add_service(crr(), &node_.driver));
  node_.plane->start();
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, ReschedulingReplacesAndTheOldTimeNeverFires) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  EXPECT_TRUE(node_.schedule("paris", cluster_.now() + 3h)->front().changed);
  cluster_.executor.advance(2h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  cluster_.executor.advance(1h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, UnschedulingLeavesThePause) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris", "maintenance"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  EXPECT_TRUE(node_.unschedule("paris")->front().changed);
  cluster_.executor.advance(2h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  EXPECT_EQ(node_.view("paris").desired.reason, "maintenance");
}

TEST_F(ScheduleTest, OneThatAForeignProgramWritesIsFiredToo) {
  node_.start();
  cluster_.force("paris", scheduled(cluster_.now() + 1h));
  cluster_.executor.advance(1s);
  EXPECT_TRUE(node_.view("paris").desired.scheduled_resume);
  cluster_.executor.advance(1h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, FiresWhenTheStoreIsBackIfItWasLostAtTheTime) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  node_.store->fake.set_down("no quorum");
  cluster_.executor.advance(2h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  node_.store->fake.set_down("");
  cluster_.executor.advance(2s);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, FiresOnceWhenTheStoreIsBackOnAllNodesAndOnNoneBefore) {
  Node other(cluster_, "n2");
  node_.start();
  other.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  const Version version = cluster_.tree->nodes["/backbeat/replication/state/paris"].version;
  for (auto* node : {&node_, &other}) {
    node->store->fake.set_down("no quorum");
    node->driver.take_applied();
  }
  cluster_.executor.advance(2h);
  for (auto* node : {&node_, &other}) EXPECT_THAT(node->driver.take_applied(), IsEmpty());
  for (auto* node : {&node_, &other}) node->store->fake.set_down("");
  cluster_.executor.advance(5s);
  for (auto* node : {&node_, &other}) EXPECT_THAT(node->driver.take_applied(), ElementsAre(Pair("paris", false)));
  EXPECT_EQ(cluster_.tree->nodes["/backbeat/replication/state/paris"].version, version + 1);
  const auto fired = [](Node& node) { return std::ranges::count(node.actions(), "scheduled-resume"); };
  EXPECT_EQ(fired(node_) + fired(other), 1);
}

TEST_F(ScheduleTest, FiresAlsoWhileTheFanoutIsLost) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  node_.fanout.set_down("no connection");
  cluster_.executor.advance(1h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ScheduleTest, IsTheSameToTheMillisecondOnAllNodes) {
  Node other(cluster_, "n2");
  node_.start();
  other.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h + 123'456us));
  EXPECT_EQ(node_.view("paris").desired, other.view("paris").desired);
}

TEST_F(ScheduleTest, OfAServiceThatLeftMeanwhileIsForgotten) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  cluster_.executor.advance(1s);
  const auto timers = cluster_.executor.pending_timers();
  int meddled = 0;
  std::function<void()> meddle = [&] {
    cluster_.force("paris", R"({"paused":true,"n":)" + std::to_string(++meddled) + "}");
    if (meddled < 3) node_.store->fake.before_next_write(meddle);
  };
  node_.store->fake.before_next_write(meddle);
  node_.plane->change({Change::Kind::kSchedule, "crr", "paris", cluster_.now() + 1h}, [](const auto&) {});
  cluster_.settle();
  node_.plane->remove_service("crr");
  cluster_.executor.advance(2h);
  EXPECT_THAT(cluster_.state("paris"), HasSubstr("scheduledResume"));
  EXPECT_EQ(cluster_.executor.pending_timers(), timers);
}

TEST_F(ScheduleTest, ForAllFiresAsOneWrite) {
  node_.start();
  ASSERT_TRUE(node_.pause("all"));
  ASSERT_TRUE(node_.schedule("all", cluster_.now() + 1h));
  const int writes = node_.store->writes;
  cluster_.executor.advance(1h);
  EXPECT_EQ(node_.store->writes, writes + 1);
}

}  // namespace
}  // namespace fermata::control
