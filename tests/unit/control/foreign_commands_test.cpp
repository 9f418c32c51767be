// A Backbeat API publishes and stores nothing; one Fermata node carries its commands out.
#include "base/time_format.hpp"
#include "fixture.hpp"

namespace fermata::control {
namespace {

constexpr std::string_view kLease = "foreign-commands";

class ForeignCommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    node_.start();
    other_.start();
    cluster_.messages();
  }

  void tell(const std::string& message, const std::string& location = "paris") {
    cluster_.publish(location, message);
    cluster_.settle();
  }

  void leave_lease_vacant() {
    cluster_.board.vacant = true;
    node_.leases.lose(kLease);
    cluster_.settle();
  }
  void fill_lease() {
    cluster_.board.vacant = false;
    cluster_.board.grant(cluster_.board.lines[std::string(kLease)]);
    cluster_.executor.advance(2s);
  }

  Cluster cluster_;
  Node node_{cluster_, "n1"};
  Node other_{cluster_, "n2"};
};

TEST_F(ForeignCommandsTest, AreCarriedOutOnceAndHeardByAll) {
  tell(R"({"action":"pauseService"})");
  cluster_.executor.advance(1s);
  EXPECT_EQ(cluster_.tree->nodes["/backbeat/replication/state/paris"].version, 1);
  EXPECT_TRUE(other_.view("paris").desired.paused);
  EXPECT_EQ(node_.view("paris").desired.by, "backbeat");
  EXPECT_THAT(node_.actions(), ElementsAre("pause"));
  EXPECT_THAT(other_.actions(), IsEmpty());
}

TEST_F(ForeignCommandsTest, AreCarriedOutInOrderOfArrival) {
  const std::string date = format_iso(cluster_.now() + 1h);
  cluster_.publish("paris", R"({"action":"resumeService"})");
  cluster_.publish("paris", R"({"action":"pauseService"})");
  cluster_.publish("paris", R"({"action":"resumeService","date":")" + date + "\"}");
  cluster_.publish("paris", R"({"action":"deleteScheduledResumeService"})");
  cluster_.publish("paris", R"({"action":"resumeService","date":")" + date + "\"}");
  cluster_.executor.advance(1s);
  EXPECT_THAT(node_.actions(), ElementsAre("schedule", "unschedule", "schedule", "pause"));
  EXPECT_EQ(format_iso(*node_.view("paris").desired.scheduled_resume), date);
  cluster_.executor.advance(1h);
  EXPECT_EQ(other_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ForeignCommandsTest, KeepTheirOrderWhenOneMustBeTriedAgain) {
  int meddled = 0;
  std::function<void()> meddle = [&] {
    cluster_.force("paris", R"({"paused":false,"n":)" + std::to_string(++meddled) + "}");
    if (meddled < 4) node_.store->fake.before_next_write(meddle);
  };
  node_.store->fake.before_next_write(meddle);
  cluster_.publish("paris", R"({"action":"pauseService"})");
  cluster_.publish("paris", R"({"action":"resumeService"})");
  cluster_.executor.advance(5s);
  EXPECT_THAT(node_.actions(), ElementsAre("resume", "pause"));
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ForeignCommandsTest, ADateInThePastMeansNow) {
  tell(R"({"action":"pauseService"})");
  tell(R"({"action":"resumeService","date":"2001-11-22T08:35:12.830Z"})");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ForeignCommandsTest, ADateThatDoesNotParseIsRefused) {
  tell(R"({"action":"pauseService"})");
  tell(R"({"action":"resumeService","date":null})");
  tell(R"({"action":"resumeService","date":"soon"})");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ForeignCommandsTest, AMarkedMessageIsOnlyAHint) {
  tell(R"({"action":"pauseService","revision":99})");
  EXPECT_EQ(node_.view("paris").state, ObservedState::kRunning);
  EXPECT_EQ(cluster_.state("paris"), R"({"paused":false})");
}

TEST_F(ForeignCommandsTest, MoveToTheNodeThatHoldsTheLease) {
  node_.leases.lose(kLease);
  cluster_.settle();
  tell(R"({"action":"pauseService"})");
  EXPECT_THAT(node_.actions(), IsEmpty());
  EXPECT_THAT(other_.actions(), ElementsAre("pause"));
  EXPECT_TRUE(node_.view("paris").desired.paused);
}

TEST_F(ForeignCommandsTest, MoveToANodeThatHearsThem) {
  node_.fanout.set_down("cut off");
  cluster_.executor.advance(2s);
  tell(R"({"action":"pauseService"})");
  EXPECT_THAT(node_.actions(), IsEmpty());
  EXPECT_THAT(other_.actions(), ElementsAre("pause"));
  node_.fanout.set_down("");
  cluster_.executor.advance(2s);
  other_.fanout.set_down("cut off");
  cluster_.executor.advance(2s);
  tell(R"({"action":"resumeService"})");
  EXPECT_THAT(node_.actions(), ElementsAre("resume"));
}

TEST_F(ForeignCommandsTest, MoveWhenTheirNodeCrashes) {
  tell(R"({"action":"pauseService"})");
  node_.crash();
  cluster_.settle();
  tell(R"({"action":"resumeService"})");
  EXPECT_THAT(other_.actions(), ElementsAre("resume"));
  EXPECT_EQ(cluster_.tree->nodes["/backbeat/replication/state/paris"].version, 2);
}

TEST_F(ForeignCommandsTest, ThatWaitWhenTheLeaseIsLostAreCarriedOutByTheNextHolder) {
  node_.store->fake.before_next_write([&] { node_.leases.lose(kLease); });
  cluster_.publish("paris", R"({"action":"pauseService"})");
  cluster_.publish("london", R"({"action":"pauseService"})");
  cluster_.settle();
  EXPECT_THAT(node_.actions(), ElementsAre("pause")) << "the one that had begun";
  EXPECT_THAT(other_.actions(), ElementsAre("pause"));
  EXPECT_TRUE(node_.view("london").desired.paused);
  EXPECT_EQ(cluster_.tree->nodes["/backbeat/replication/state/paris"].version, 1) << "not twice";
}

TEST_F(ForeignCommandsTest, ThatNobodyCouldCarryOutWaitForTheNextHolder) {
  leave_lease_vacant();
  tell(R"({"action":"pauseService"})");
  EXPECT_FALSE(node_.view("paris").desired.paused);
  fill_lease();
  EXPECT_TRUE(node_.view("paris").desired.paused);
  EXPECT_EQ(cluster_.tree->nodes["/backbeat/replication/state/paris"].version, 1);
}

TEST_F(ForeignCommandsTest, GiveWayToAnOperatorsLaterWord) {
  leave_lease_vacant();
  tell(R"({"action":"pauseService"})");
  ASSERT_TRUE(other_.pause("paris"));
  ASSERT_TRUE(other_.resume("paris"));
  fill_lease();
  EXPECT_FALSE(node_.view("paris").desired.paused);
}

TEST_F(ForeignCommandsTest, AreDroppedWhenNobodyCouldCarryThemOutForAMinute) {
  leave_lease_vacant();
  tell(R"({"action":"pauseService"})");
  cluster_.executor.advance(61s);
  fill_lease();
  EXPECT_FALSE(node_.view("paris").desired.paused);
}

TEST_F(ForeignCommandsTest, WaitUntilTheStoreIsBack) {
  node_.store->fake.set_down("connection lost");
  tell(R"({"action":"pauseService"})");
  cluster_.executor.advance(3s);
  EXPECT_THAT(node_.actions(), IsEmpty());
  node_.store->fake.set_down("");
  cluster_.executor.advance(3s);
  EXPECT_THAT(node_.actions(), ElementsAre("pause"));
}

TEST_F(ForeignCommandsTest, AreNotCarriedOutTwiceWhenAStalledHolderWakesUp) {
  node_.leases.lose(kLease, true);
  tell(R"({"action":"pauseService"})");
  tell(R"({"action":"resumeService"})");
  cluster_.executor.advance(1s);
  EXPECT_THAT(node_.actions(), IsEmpty());
  EXPECT_THAT(other_.actions(), ElementsAre("resume", "pause"));
  EXPECT_EQ(cluster_.tree->nodes["/backbeat/replication/state/paris"].version, 2);
}

}  // namespace
}  // namespace fermata::control
