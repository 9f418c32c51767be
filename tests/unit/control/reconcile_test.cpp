// What is in the store comes to the services, whatever is lost on the way; and what is odd there does no harm.
#include "fixture.hpp"

namespace fermata::control {
namespace {

class ReconcileTest : public ::testing::Test {
 protected:
  Cluster cluster_;
  Node node_{cluster_, "n1"};
};

TEST_F(ReconcileTest, OtherNodesObeyAHintAtOnce) {
  Node other(cluster_, "n2");
  other.store->watching = false;
  node_.start();
  other.start();
  other.driver.take_applied();
  ASSERT_TRUE(node_.pause("paris"));
  EXPECT_THAT(other.driver.take_applied(), ElementsAre(Pair("paris", true)));
}

TEST_F(ReconcileTest, ALostHintIsHealedByTheWatch) {
  Node other(cluster_, "n2");
  node_.start();
  other.start();
  cluster_.wire->drop = 1;
  ASSERT_TRUE(node_.pause("paris"));
  cluster_.executor.advance(200ms);
  EXPECT_TRUE(other.view("paris").desired.paused);
}

TEST_F(ReconcileTest, ALostHintAndALostWatchAreHealedByTheTimer) {
  Node other(cluster_, "n2");
  other.store->watching = false;
  node_.start();
  other.start();
  cluster_.wire->drop = 1;
  ASSERT_TRUE(node_.pause("paris"));
  cluster_.executor.advance(25s);
  EXPECT_FALSE(other.view("paris").desired.paused);
  cluster_.executor.advance(6s);
  EXPECT_TRUE(other.view("paris").desired.paused);
}

TEST_F(ReconcileTest, EverythingIsReadAgainWhenTheSubscriptionStandsAgain) {
  node_.store->watching = false;
  node_.start();
  cluster_.force("paris", R"({"paused":true})");
  cluster_.wire->subscribers.back()->listener.on_subscribed();
  cluster_.settle();
  EXPECT_TRUE(node_.view("paris").desired.paused);
}

TEST_F(ReconcileTest, OurOwnHintsCostNoRead) {
  node_.store->watching = false;
  node_.start();
  const int gets = node_.store->gets;
  ASSERT_TRUE(node_.pause("paris"));
  EXPECT_EQ(node_.store->gets, gets + 1);
}

TEST_F(ReconcileTest, AForeignWriteIsSeen) {
  node_.start();
  cluster_.force("paris", R"({"paused":true})");
  cluster_.executor.advance(200ms);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ReconcileTest, ANodeThatWasRemovedAndMadeAnewIsSeenAlthoughItsVersionIsTheSame) {
  node_.start();
  {
    const std::lock_guard lock(cluster_.tree->mutex);
    cluster_.tree->nodes["/backbeat/replication/state/paris"] = {R"({"paused":true})", 0, nullptr};
  }
  cluster_.executor.advance(31s);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ReconcileTest, AStateThatWasRemovedIsMadeAgainAsItWas) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris", "maintenance"));
  {
    const std::lock_guard lock(cluster_.tree->mutex);
    cluster_.tree->nodes.erase("/backbeat/replication/state/paris");
  }
  cluster_.executor.advance(31s);
  EXPECT_THAT(cluster_.state("paris"), HasSubstr(R"({"paused":true,"reason":"maintenance")"));
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ReconcileTest, UnknownKeysSurvive) {
  cluster_.force("paris", R"({"paused":false,"color":"blue"})");
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  ASSERT_TRUE(node_.schedule("paris", cluster_.now() + 1h));
  cluster_.executor.advance(2h);
  EXPECT_THAT(cluster_.state("paris"), HasSubstr(R"("color":"blue")"));
  EXPECT_THAT(cluster_.state("paris"), HasSubstr(R"("paused":false)"));
}

TEST_F(ReconcileTest, ADateBesideARunningLocationIsNone) {
  cluster_.force("paris", R"({"paused":false,"scheduledResume":"2126-11-22T08:35:12.830Z"})");
  node_.start();
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
  EXPECT_FALSE(node_.view("paris").desired.scheduled_resume);
  ASSERT_TRUE(node_.pause("paris"));
  EXPECT_THAT(cluster_.state("paris"), ::testing::Not(HasSubstr("scheduledResume")));
}

TEST_F(ReconcileTest, ADateThatDoesNotParseDoesNotResume) {
  cluster_.force("paris", R"({"paused":true,"scheduledResume":"soon"})");
  node_.start();
  cluster_.executor.advance(48h);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ReconcileTest, AStateThatCannotBeReadFailsThatLocationOnly) {
  cluster_.force("paris", "null");
  node_.start();
  const auto view = node_.view("paris");
  EXPECT_EQ(view.state, ObservedState::kFailed);
  EXPECT_THAT(view.desired_error, HasSubstr("/backbeat/replication/state/paris"));
  EXPECT_EQ(cluster_.state("paris"), "null");
  EXPECT_THAT(node_.driver.take_applied(), ElementsAre(Pair("london", false)));
  EXPECT_EQ(node_.view("london").state, ObservedState::kRunning);
  EXPECT_TRUE(node_.pause("london"));
  EXPECT_EQ(node_.schedule("paris", cluster_.now() + 1h).status().code(), Code::kFailedPrecondition);
}

TEST_F(ReconcileTest, AStateThatBecomesUnreadableLeavesTheLastOneInForce) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  node_.driver.take_applied();
  cluster_.force("paris", "not JSON");
  cluster_.executor.advance(1s);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kFailed);
  EXPECT_TRUE(node_.view("paris").desired.paused);
  EXPECT_THAT(node_.driver.take_applied(), IsEmpty());
}

TEST_F(ReconcileTest, PauseAndResumeMendAStateThatCannotBeRead) {
  cluster_.force("paris", "null");
  cluster_.force("london", "[]");
  node_.start();
  EXPECT_TRUE(node_.pause("paris")->front().changed);
  EXPECT_TRUE(node_.resume("london")->front().changed);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  EXPECT_EQ(node_.view("london").state, ObservedState::kRunning);
  EXPECT_EQ(node_.view("paris").desired_error, "");
}

TEST_F(ReconcileTest, LosingTheStoreStopsNothingAndRefusesChanges) {
  node_.start();
  ASSERT_TRUE(node_.pause("paris"));
  node_.driver.take_applied();
  cluster_.messages();
  const std::string before = cluster_.state("london");
  node_.store->fake.set_down("no quorum");
  EXPECT_EQ(node_.plane->writable().code(), Code::kUnavailable);
  EXPECT_THAT(node_.plane->writable().message(), HasSubstr("no quorum"));
  EXPECT_EQ(node_.pause("all").status().code(), Code::kUnavailable);
  cluster_.executor.advance(2min);
  EXPECT_EQ(cluster_.state("london"), before);
  EXPECT_THAT(cluster_.messages(), IsEmpty());
  EXPECT_THAT(node_.driver.take_applied(), IsEmpty());
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
  EXPECT_EQ(node_.view("london").state, ObservedState::kRunning);

  node_.store->fake.set_down("");
  EXPECT_TRUE(node_.plane->writable());
  EXPECT_TRUE(node_.pause("all"));
}

TEST_F(ReconcileTest, AStoreThatIsLostBetweenTheHealthCheckAndTheWriteIsUnavailableToo) {
  node_.start();
  node_.store->fake.before_next_write([this] { node_.store->fake.set_down("no quorum"); });
  EXPECT_EQ(node_.pause("paris").status().code(), Code::kUnavailable);
  node_.store->fake.set_down("");
  EXPECT_FALSE(node_.view("paris").desired.paused);
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":false})");
}

TEST_F(ReconcileTest, LosingTheFanoutRefusesChanges) {
  node_.start();
  node_.fanout.set_down("no connection to Redis");
  EXPECT_EQ(node_.pause("paris").status().code(), Code::kUnavailable);
  EXPECT_THAT(node_.plane->writable().message(), HasSubstr("no connection to Redis"));
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":false})");
}

TEST_F(ReconcileTest, StartsWithoutTheStoreWithClosedGatesAndReadsWhenItIsThere) {
  cluster_.force("paris", R"({"paused":false})");
  node_.store->fake.set_down("no quorum");
  node_.start();
  EXPECT_EQ(node_.view("paris").state, ObservedState::kStarting);
  EXPECT_THAT(node_.view("paris").nodes.front().observation.message, HasSubstr("could not be read yet"));
  cluster_.executor.advance(1h);
  EXPECT_THAT(node_.driver.take_applied(), IsEmpty()) << "a gate that was never told stays closed";
  node_.store->fake.set_down("");
  cluster_.executor.advance(1s);
  EXPECT_THAT(node_.driver.take_applied(), ElementsAre(Pair("paris", false), Pair("london", false)));
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
  EXPECT_THAT(cluster_.data("/backbeat/fermata/nodes/n1"), HasSubstr("n1"));
}

TEST_F(ReconcileTest, ALocationThatIsPausedWhileANodeCannotSeeItStartsPausedThere) {
  cluster_.force("paris", R"({"paused":true})");
  node_.store->fake.set_down("no quorum");
  node_.start();
  node_.store->fake.set_down("");
  cluster_.executor.advance(1s);
  EXPECT_THAT(node_.driver.take_applied(), ElementsAre(Pair("paris", true), Pair("london", false)));
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ReconcileTest, EverythingIsReadAndShownAgainWithinASecondOfTheStoresReturn) {
  Node other(cluster_, "n2");
  node_.start();
  other.start();
  cluster_.executor.advance(1s);
  other.store->watching = false;
  other.driver.take_applied();
  other.store->fake.set_down("no quorum");
  cluster_.executor.advance(1min);
  EXPECT_THAT(other.driver.take_applied(), IsEmpty());
  other.store->fake.expire();
  cluster_.wire->drop = 1;
  ASSERT_TRUE(node_.pause("paris"));
  cluster_.executor.advance(1min);
  EXPECT_EQ(node_.plane->nodes().size(), 1u);
  other.store->fake.set_down("");
  cluster_.executor.advance(1s);
  EXPECT_THAT(other.driver.take_applied(), ElementsAre(Pair("paris", true)));
  cluster_.executor.advance(100ms);
  EXPECT_EQ(node_.plane->nodes().size(), 2u);
  EXPECT_EQ(node_.view("paris").nodes.size(), 2u);
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ReconcileTest, NothingRunsAfterStop) {
  node_.start();
  node_.plane->stop();
  node_.driver.take_applied();
  cluster_.force("paris", R"({"paused":true})");
  bool answered = false;
  node_.plane->change({Change::Kind::kPause, "crr", "all"}, [&](const auto&) { answered = true; });
  cluster_.executor.advance(1h);
  EXPECT_FALSE(answered);
  EXPECT_THAT(node_.driver.take_applied(), IsEmpty());
  EXPECT_EQ(cluster_.data("/backbeat/fermata/nodes/n1"), "");
}

}  // namespace
}  // namespace fermata::control
