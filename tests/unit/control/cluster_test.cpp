// Desired and observed: a location is what every live node says, and a dead node is not a vote.
#include "fixture.hpp"

namespace fermata::control {
namespace {

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    one_.start();
    two_.start();
    tick();
  }
  // Lets nodes hear of each other.
  void tick() { cluster_.executor.advance(100ms); }

  struct Wait {
    std::optional<bool> converged;
  };
  std::shared_ptr<Wait> wait(const std::string& location, std::chrono::milliseconds timeout = 30s) {
    auto wait = std::make_shared<Wait>();
    one_.plane->wait_converged("crr", location, timeout, [wait](bool converged) {
      EXPECT_FALSE(wait->converged.has_value()) << "called back twice";
      wait->converged = converged;
    });
    cluster_.settle();
    return wait;
  }

  Cluster cluster_;
  Node one_{cluster_, "n1"};
  Node two_{cluster_, "n2"};
};

TEST_F(ClusterTest, NodesSeeEachOther) {
  const auto nodes = one_.plane->nodes();
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].id, "n1");
  EXPECT_TRUE(nodes[0].self);
  EXPECT_EQ(nodes[1].id, "n2");
  EXPECT_FALSE(nodes[1].self);
  EXPECT_EQ(nodes[1].address, "http://n2");
  EXPECT_EQ(two_.plane->nodes()[1].self, true);
  EXPECT_EQ(one_.view("paris").nodes.size(), 2u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ClusterTest, ALocationIsPausedOnlyWhenEveryNodeSaysSo) {
  two_.driver.hold();
  ASSERT_TRUE(one_.pause("paris"));
  tick();
  EXPECT_EQ(one_.view("paris").state, ObservedState::kPausing);
  EXPECT_EQ(one_.view("paris").nodes[0].observation.state, ObservedState::kPaused);
  two_.driver.observe_as("paris", ObservedState::kPaused);
  tick();
  EXPECT_EQ(one_.view("paris").state, ObservedState::kPaused);
}

TEST_F(ClusterTest, ANodeThatHasNotHeardIsPausingAlthoughItOnceSaidPaused) {
  ASSERT_TRUE(one_.pause("paris"));
  tick();
  ASSERT_EQ(one_.view("paris").state, ObservedState::kPaused);
  two_.store->fake.set_down("partitioned");
  ASSERT_TRUE(one_.resume("paris"));
  tick();
  EXPECT_NE(one_.view("paris").state, ObservedState::kRunning);
  ASSERT_TRUE(one_.pause("paris"));
  tick();
  EXPECT_EQ(one_.view("paris").state, ObservedState::kPausing);
}

TEST_F(ClusterTest, ADeadNodeIsNotAVote) {
  two_.driver.hold();
  ASSERT_TRUE(one_.pause("paris"));
  const auto waiting = wait("paris");
  EXPECT_FALSE(waiting->converged);
  two_.crash();
  tick();
  EXPECT_EQ(one_.plane->nodes().size(), 1u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kPaused);
  EXPECT_EQ(waiting->converged, true);
}

TEST_F(ClusterTest, ANodeThatStopsWithdraws) {
  two_.plane->stop();
  tick();
  EXPECT_EQ(one_.plane->nodes().size(), 1u);
  for (const auto& [path, node] : cluster_.tree->nodes) EXPECT_EQ(path.find("n2"), std::string::npos) << path;
}

TEST_F(ClusterTest, ANodeWhoseSessionEndedComesBack) {
  two_.store->fake.expire();
  tick();
  tick();
  EXPECT_EQ(one_.plane->nodes().size(), 2u);
  ASSERT_EQ(one_.view("paris").nodes.size(), 2u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ClusterTest, ANewNodeThatHasNotReportedYetHoldsTheVerdictBack) {
  Node three(cluster_, "n3");
  three.driver.hold();
  three.start();
  tick();
  EXPECT_EQ(one_.view("paris").nodes.size(), 3u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kStarting);
  three.driver.observe_as("paris", ObservedState::kRunning);
  tick();
  EXPECT_EQ(one_.view("paris").state, ObservedState::kRunning);
}

TEST_F(ClusterTest, ANodeThatHasReportedNothingOrOnlyAPartIsWaitedFor) {
  testing::FakeStateStore session(cluster_.tree, cluster_.executor);
  const auto present = [&](const std::string& path, const std::string& data) {
    ASSERT_TRUE(write_one(session, {StateWrite::Kind::kEphemeral, "/backbeat/fermata/" + path, data}));
    tick();
  };
  present("nodes/n3", R"({"id":"n3","services":["crr"]})");
  EXPECT_EQ(one_.view("paris").nodes.size(), 3u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kStarting);
  const auto waiting = wait("paris");
  present("observed/crr/n3.0000", R"({"node":"n3","chunks":2,"locations":{"rome":{"version":0,"state":"running"}}})");
  EXPECT_EQ(one_.view("paris").state, ObservedState::kStarting);
  EXPECT_FALSE(waiting->converged);
  present("observed/crr/n3.0001", R"({"node":"n3","chunks":2,"locations":{"paris":{"version":0,"state":"running"}}})");
  EXPECT_EQ(one_.view("paris").state, ObservedState::kRunning);
  EXPECT_EQ(waiting->converged, true);
  EXPECT_EQ(one_.view("london").nodes.size(), 2u);
}

TEST_F(ClusterTest, ANodeThatDoesNotRunTheLocationHasNoVoteOnIt) {
  Node three(cluster_, "n3");
  three.start(crr({{"paris"}}));
  tick();
  EXPECT_EQ(one_.view("paris").nodes.size(), 3u);
  EXPECT_EQ(one_.view("london").nodes.size(), 2u);
  EXPECT_EQ(one_.view("london").state, ObservedState::kRunning);
}

TEST_F(ClusterTest, CountsAreShownToOthersOnceASecond) {
  two_.driver.observe_as("paris", {.state = ObservedState::kRunning, .in_flight = 3, .lag = 70, .last_error = "timeout"}, false);
  cluster_.executor.advance(1'100ms);
  const auto seen = one_.view("paris").nodes[1].observation;
  EXPECT_EQ(seen.in_flight, 3);
  EXPECT_EQ(seen.lag, 70);
  EXPECT_EQ(seen.last_error, "timeout");
}

TEST_F(ClusterTest, FailedRecordsAreCountedOncePerLocationAndNotOncePerNode) {
  one_.driver.observe_as("paris", {.state = ObservedState::kRunning, .failed = 3});
  two_.driver.observe_as("paris", {.state = ObservedState::kRunning, .failed = 4});
  tick();
  EXPECT_EQ(one_.view("paris").failed, 4);
  EXPECT_EQ(two_.view("paris").failed, 4) << "any node answers the same";
}

TEST_F(ClusterTest, WhatDidNotChangeIsNotWrittenAgain) {
  cluster_.executor.advance(5s);
  const int writes = one_.store->writes;
  cluster_.executor.advance(20s);
  EXPECT_EQ(one_.store->writes, writes);
}

TEST_F(ClusterTest, TheWorstStateOfANodeIsShown) {
  two_.driver.observe_as("paris", {.state = ObservedState::kDegraded, .message = "slow"});
  tick();
  EXPECT_EQ(one_.view("paris").state, ObservedState::kDegraded);
  EXPECT_EQ(one_.view("paris").nodes[1].observation.message, "slow");
  one_.driver.observe_as("paris", ObservedState::kFailed);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kFailed);
}

TEST_F(ClusterTest, AMessageThatIsNoUtf8DoesNotHideItsNeighbours) {
  two_.driver.observe_as("paris", {.state = ObservedState::kRunning, .message = "\xff\xfe\"odd"});
  two_.driver.observe_as("london", ObservedState::kDegraded);
  tick();
  EXPECT_EQ(one_.view("london").state, ObservedState::kDegraded);
}

TEST_F(ClusterTest, WaitingEndsAtOnceWhenAllAreThere) {
  ASSERT_TRUE(one_.pause("all"));
  tick();
  EXPECT_EQ(wait("all")->converged, true);
}

TEST_F(ClusterTest, WaitingEndsWithTheLastNodeAndNotBefore) {
  one_.driver.hold();
  two_.driver.hold();
  ASSERT_TRUE(one_.pause("all"));
  const auto waiting = wait("all");
  one_.driver.observe_as("paris", ObservedState::kPaused);
  one_.driver.observe_as("london", ObservedState::kPaused);
  two_.driver.observe_as("london", ObservedState::kPaused);
  tick();
  EXPECT_FALSE(waiting->converged);
  two_.driver.observe_as("paris", ObservedState::kPaused);
  tick();
  EXPECT_EQ(waiting->converged, true);
}

TEST_F(ClusterTest, WaitingGivesUpAtItsTimeout) {
  two_.driver.hold();
  ASSERT_TRUE(one_.pause("paris"));
  const auto waiting = wait("paris", 10s);
  cluster_.executor.advance(10s - 1ms);
  EXPECT_FALSE(waiting->converged);
  cluster_.executor.advance(1ms);
  EXPECT_EQ(waiting->converged, false);
  two_.driver.observe_as("paris", ObservedState::kPaused);
  tick();
}

TEST_F(ClusterTest, WaitingForWhatIsUnknownFailsAtOnce) { EXPECT_EQ(wait("berlin")->converged, false); }

TEST(OneNode, ConvergesByTheDriversWordAndNotByATimer) {
  Cluster cluster;
  Node node(cluster, "n1");
  node.start();
  node.driver.hold();
  std::optional<bool> converged;
  node.plane->change({Change::Kind::kPause, "crr", "paris"}, [](const auto&) {});
  node.plane->wait_converged("crr", "paris", 30s, [&](bool answer) { converged = answer; });
  cluster.settle();
  EXPECT_FALSE(converged);
  node.driver.observe_as("paris", ObservedState::kPaused);
  cluster.settle();
  EXPECT_EQ(converged, true);
}

TEST(OneNode, HasNobodyToTellAndWritesNoObservations) {
  Cluster cluster;
  Node node(cluster, "n1");
  node.start();
  const int writes = node.store->writes;
  node.driver.observe_as("paris", {.state = ObservedState::kRunning, .processed = 5});
  cluster.executor.advance(10s);
  EXPECT_EQ(node.store->writes, writes);
}

}  // namespace
}  // namespace fermata::control
