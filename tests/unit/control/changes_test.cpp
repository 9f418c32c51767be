// What operators' changes do: stored first, hinted second, applied and answered third.
#include "base/time_format.hpp"
#include "fixture.hpp"

namespace fermata::control {
namespace {

class ChangesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    node_.start();
    cluster_.messages();
    node_.driver.take_applied();
  }

  Cluster cluster_;
  Node node_{cluster_, "n1"};
};

TEST_F(ChangesTest, LocationsNeverSeenBeforeBeginAsConfigured) {
  Cluster cluster;
  Node node(cluster, "n1");
  auto spec = crr({{"paris"}, {"london", false}, {"rome", true}});
  spec.paused_at_first = true;
  node.start(spec);
  EXPECT_EQ(cluster.state("paris"), R"({"paused":true})");
  EXPECT_EQ(cluster.state("london"), R"({"paused":false})");
  EXPECT_EQ(cluster.state("rome"), R"({"paused":true})");
  EXPECT_THAT(node.driver.take_applied(), ElementsAre(Pair("paris", true), Pair("london", false), Pair("rome", true)));
}

TEST_F(ChangesTest, PauseIsStoredHintedAndApplied) {
  const auto changed = node_.pause("paris", "maintenance");
  ASSERT_TRUE(changed);
  ASSERT_EQ(changed->size(), 1u);
  EXPECT_EQ(changed->front().location, "paris");
  EXPECT_TRUE(changed->front().changed);
  EXPECT_TRUE(changed->front().desired.paused);
  const std::string at = format_iso(cluster_.now());
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":true,"reason":"maintenance","by":"alice","at":")" + at + "\"}");
  EXPECT_THAT(cluster_.messages(), ElementsAre(R"(backbeat-replication-paris {"action":"pauseService","revision":1})"));
  EXPECT_THAT(node_.driver.take_applied(), ElementsAre(Pair("paris", true)));
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  EXPECT_EQ(node_.view("london").state, ObservedState::kRunning);
}

TEST_F(ChangesTest, AnswersOnlyAfterTheGateIsClosed) {
  bool closed = false;
  node_.plane->change({Change::Kind::kPause, "crr", "paris"}, [&](const auto&) { closed = !node_.driver.take_applied().empty(); });
  cluster_.settle();
  EXPECT_TRUE(closed);
}

TEST_F(ChangesTest, AChangeThatChangesNothingWritesNothing) {
  ASSERT_TRUE(node_.pause("paris"));
  const std::string before = cluster_.state("paris");
  const int writes = node_.store->writes;
  cluster_.messages();
  EXPECT_FALSE(node_.pause("paris")->front().changed);
  EXPECT_FALSE(node_.resume("london")->front().changed);
  EXPECT_FALSE(node_.unschedule("paris")->front().changed);
  EXPECT_EQ(node_.store->writes, writes);
  EXPECT_EQ(cluster_.state("paris"), before);
  EXPECT_THAT(cluster_.messages(), IsEmpty());
}

TEST_F(ChangesTest, WhetherItAlreadyIsSoIsAskedOfTheStoreAndNotOfMemory) {
  node_.store->watching = false;
  ASSERT_TRUE(node_.pause("paris"));
  cluster_.force("paris", R"({"paused":false})");
  EXPECT_TRUE(node_.pause("paris")->front().changed);
  EXPECT_THAT(cluster_.state("paris"), HasSubstr("\"paused\":true"));
}

TEST_F(ChangesTest, PauseRemovesTheScheduleAlsoWhenAlreadyPaused) {
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  EXPECT_TRUE(node_.view("paris").desired.scheduled_resume);
  const auto changed = node_.pause("paris");
  EXPECT_TRUE(changed->front().changed);
  EXPECT_FALSE(changed->front().desired.scheduled_resume);
  cluster_.executor.advance(2h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ChangesTest, ResumeRemovesTheScheduleInTheSameWrite) {
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  const int writes = node_.store->writes;
  ASSERT_TRUE(node_.resume("paris"));
  EXPECT_EQ(node_.store->writes, writes + 1);
  EXPECT_THAT(cluster_.state("paris"), ::testing::Not(HasSubstr("scheduledResume")));
}

TEST_F(ChangesTest, SchedulingARunningLocationDoesNothing) {
  const auto changed = node_.schedule("paris", cluster_.now() + 1h);
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->front().changed);
  EXPECT_FALSE(changed->front().desired.paused);
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":false})");
}

TEST_F(ChangesTest, AScheduleKeepsTheReasonOfThePause) {
  ASSERT_TRUE(node_.pause("paris", "maintenance"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  EXPECT_EQ(node_.view("paris").desired.reason, "maintenance");
}

TEST_F(ChangesTest, AScheduleNeedsADateInTheFuture) {
  ASSERT_TRUE(node_.pause("paris"));
  EXPECT_EQ(node_.schedule("paris", cluster_.now()).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(node_.change(Change::Kind::kSchedule, "paris").status().code(), Code::kInvalidArgument);
}

TEST_F(ChangesTest, AllMeansEveryLocationWithOneIdenticalDate) {
  const auto paused = node_.pause("all");
  ASSERT_TRUE(paused);
  ASSERT_EQ(paused->size(), 2u);
  EXPECT_EQ(paused->at(0).location, "paris");
  EXPECT_EQ(paused->at(1).location, "london");
  const WallTime date = cluster_.now() + 6h;
  ASSERT_TRUE(node_.schedule("all", date));
  EXPECT_EQ(node_.view("paris").desired.scheduled_resume, date);
  EXPECT_EQ(node_.view("london").desired.scheduled_resume, date);
}

TEST_F(ChangesTest, AllCountsAsChangedOnlyWhatChanged) {
  ASSERT_TRUE(node_.pause("london"));
  const auto paused = node_.pause("all");
  EXPECT_TRUE(paused->at(0).changed);
  EXPECT_FALSE(paused->at(1).changed);
}

TEST_F(ChangesTest, UnknownNamesAreNotFound) {
  EXPECT_EQ(node_.pause("berlin").status().code(), Code::kNotFound);
  std::optional<Status> status;
  node_.plane->change({Change::Kind::kPause, "crrr", "all"}, [&](const auto& result) { status = result.status(); });
  cluster_.settle();
  EXPECT_EQ(status->code(), Code::kNotFound);
  EXPECT_THAT(status->message(), HasSubstr("there are: crr"));
  EXPECT_EQ(node_.plane->location("crr", "berlin").status().code(), Code::kNotFound);
  EXPECT_EQ(node_.plane->visit("x", [](const auto&) {}).code(), Code::kNotFound);
  EXPECT_EQ(node_.plane->visit_desired("x", [](auto, const auto&) {}).code(), Code::kNotFound);
  EXPECT_EQ(node_.plane->service("x").status().code(), Code::kNotFound);
}

TEST_F(ChangesTest, AForeignWriteBetweenReadAndWriteIsNotOverwrittenUnseen) {
  node_.store->fake.before_next_write([&] { cluster_.force("paris", R"({"paused":false,"foreign":1})"); });
  ASSERT_TRUE(node_.pause("paris"));
  EXPECT_THAT(cluster_.state("paris"), HasSubstr(R"({"paused":true,"foreign":1)"));
}

TEST_F(ChangesTest, GivesUpWhenOthersKeepChangingIt) {
  int version = 0;
  std::function<void()> meddle = [&] {
    cluster_.force("paris", R"({"paused":false,"foreign":)" + std::to_string(++version) + "}");
    node_.store->fake.before_next_write(meddle);
  };
  node_.store->fake.before_next_write(meddle);
  EXPECT_EQ(node_.pause("paris").status().code(), Code::kAborted);
  node_.store->fake.before_next_write(nullptr);
  EXPECT_EQ(version, 10);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ChangesTest, ALostAnswerOfAWriteThatHappenedIsASuccess) {
  node_.store->fake.lose_answers(1);
  const auto changed = node_.pause("paris");
  ASSERT_TRUE(changed);
  EXPECT_TRUE(changed->front().changed);
  EXPECT_EQ(cluster_.messages().size(), 1u);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ChangesTest, RevisionMovesWithEveryChangeOfADesiredState) {
  EXPECT_EQ(node_.plane->desired_revision("x"), 0u);
  const auto before = node_.plane->desired_revision("crr");
  EXPECT_GT(before, 0u);
  ASSERT_TRUE(node_.resume("paris"));
  cluster_.executor.advance(1min);
  EXPECT_EQ(node_.plane->desired_revision("crr"), before);
  ASSERT_TRUE(node_.pause("paris"));
  EXPECT_NE(node_.plane->desired_revision("crr"), before);
}

TEST_F(ChangesTest, VisitsInConfigurationOrder) {
  std::vector<std::string> names;
  ASSERT_TRUE(node_.plane->visit("crr", [&](const LocationView& view) { names.push_back(view.name); }));
  EXPECT_THAT(names, ElementsAre("paris", "london"));
  std::vector<std::pair<std::string, bool>> desired;
  ASSERT_TRUE(node_.pause("london"));
  ASSERT_TRUE(node_.plane->visit_desired("crr", [&](auto name, const auto& state) { desired.emplace_back(name, state.paused); }));
  EXPECT_THAT(desired, ElementsAre(Pair("paris", false), Pair("london", true)));
}

TEST_F(ChangesTest, TheAuditTrailTellsWhoDidWhatNewestFirst) {
  ASSERT_TRUE(node_.pause("all", "maintenance"));
  ASSERT_TRUE(node_.pause("paris"));
  const WallTime date = cluster_.now() + 1h;
  ASSERT_TRUE(node_.schedule("paris", date));
  cluster_.executor.advance(1h);
  EXPECT_THAT(node_.actions(), ElementsAre("scheduled-resume", "schedule", "pause"));
  const auto entries = node_.audit();
  EXPECT_EQ(entries[0].second.scheduled_resume, date);
  EXPECT_EQ(entries[0].second.location, "paris");
  EXPECT_EQ(entries[0].second.by, "alice");
  EXPECT_EQ(entries[2].second.location, "all");
  EXPECT_EQ(entries[2].second.reason, "maintenance");
  EXPECT_EQ(entries[2].second.node, "n1");
  EXPECT_EQ(entries[2].second.service, "crr");
}

TEST_F(ChangesTest, TheAuditTrailGoesPageByPage) {
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.resume("paris"));
  ASSERT_TRUE(node_.pause("london"));
  const auto first = node_.audit({}, 2);
  ASSERT_EQ(first.size(), 2u);
  const auto rest = node_.audit(first.back().first, 2);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].second.action, "pause");
  EXPECT_EQ(rest[0].second.location, "paris");
}

TEST(AuditTrail, IsBounded) {
  Cluster cluster;
  Node node(cluster, "n1");
  node.plane = std::make_unique<ControlPlane>(
      ControlPlane::Options{.node_id = "n1", .audit_limit = 20},
      ControlPlane::Dependencies{*node.store, node.fanout, node.leases, node.kv, cluster.executor, cluster.executor, cluster.log});
  ASSERT_TRUE(node.plane->add_service(crr(), &node.driver));
  node.plane->start();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(i % 2 == 0 ? node.pause("paris") : node.resume("paris"));
  const auto kept = node.audit({}, 1'000).size();
  EXPECT_GE(kept, 20u);
  EXPECT_LE(kept, 22u);
  EXPECT_EQ(node.audit()[0].second.action, "resume");
}

TEST(Services, AreCheckedBeforeTheyAreTaken) {
  Cluster cluster;
  Node node(cluster, "n1");
  node.start();
  EXPECT_EQ(node.plane->add_service(crr(), nullptr).code(), Code::kAlreadyExists);
  const auto refused = [&](std::vector<LocationSpec> locations) {
    auto spec = crr(std::move(locations));
    spec.name = "other";
    return node.plane->add_service(spec, nullptr).message();
  };
  EXPECT_THAT(refused({{"a"}, {"a"}}), HasSubstr("twice"));
  EXPECT_THAT(refused({{"all"}}), HasSubstr("'all'"));
  EXPECT_THAT(refused({{"a/b"}}), HasSubstr("a/b"));
  EXPECT_THAT(refused({{""}}), HasSubstr("other"));
}

TEST(Services, ComeAndGoWhileOthersRun) {
  Cluster cluster;
  Node node(cluster, "n1");
  node.start();
  testing::FakeDriver driver;
  ASSERT_TRUE(node.plane->add_service({"ingestion", "ingestion", "backbeat-ingestion", true, {{"rome"}}}, &driver));
  cluster.settle();
  EXPECT_THAT(node.plane->services(), ElementsAre("crr", "ingestion"));
  EXPECT_EQ(cluster.data("/backbeat/ingestion/state/rome"), R"({"paused":true})");
  EXPECT_THAT(driver.take_applied(), ElementsAre(Pair("rome", true)));

  node.plane->remove_service("ingestion");
  testing::FakeStateStore(cluster.tree, cluster.executor).force("/backbeat/ingestion/state/rome", R"({"paused":false})");
  cluster.executor.advance(1min);
  EXPECT_THAT(driver.take_applied(), IsEmpty());
  EXPECT_THAT(node.plane->services(), ElementsAre("crr"));

  ASSERT_TRUE(node.plane->add_service({"ingestion", "ingestion", "backbeat-ingestion", true, {{"rome"}}}, &driver));
  cluster.settle();
  EXPECT_THAT(driver.take_applied(), ElementsAre(Pair("rome", false)));
}

TEST(Services, AServiceThatFailedToLoadCanStillBeSteered) {
  Cluster cluster;
  Node node(cluster, "n1");
  node.plane = std::make_unique<ControlPlane>(
      ControlPlane::Options{.node_id = "n1"},
      ControlPlane::Dependencies{*node.store, node.fanout, node.leases, node.kv, cluster.executor, cluster.executor, cluster.log});
  ASSERT_TRUE(node.plane->add_service(crr(), nullptr, "no such file"));
  node.plane->start();
  EXPECT_TRUE(node.pause("paris")->front().changed);
  const auto view = node.view("paris");
  EXPECT_EQ(view.state, ObservedState::kFailed);
  EXPECT_TRUE(view.desired.paused);
  ASSERT_EQ(view.nodes.size(), 1u);
  EXPECT_EQ(view.nodes[0].observation.message, "no such file");
}

TEST_F(ChangesTest, AServiceThatFailsLaterIsShownAsFailedUntilItRecovers) {
  node_.plane->set_failure("crr", "the plugin hangs");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kFailed);
  EXPECT_EQ(node_.view("paris").nodes[0].observation.message, "the plugin hangs");
  node_.plane->set_failure("crr", "");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

}  // namespace
}  // namespace fermata::control
