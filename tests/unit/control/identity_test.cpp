// Who a node is: two processes with one name are noticed, and a process that comes back takes its former place.
#include "fixture.hpp"

namespace fermata::control {
namespace {

class IdentityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    one_.start();
    two_.start();
    tick();
  }
  void tick() { cluster_.executor.advance(100ms); }
  std::string presence(const std::string& node) const { return cluster_.data("/backbeat/fermata/nodes/" + node); }

  Cluster cluster_;
  Node one_{cluster_, "n1"};
  Node two_{cluster_, "n2"};
};

TEST_F(IdentityTest, ANodeWhoseNameAnotherProcessTakesSaysSo) {
  EXPECT_EQ(two_.plane->conflict(), "");
  Node twin(cluster_, "n2");
  twin.start();
  tick();
  EXPECT_THAT(two_.plane->conflict(), ::testing::AllOf(HasSubstr("'n2'"), HasSubstr("http://n2"), HasSubstr("node_id")));
  EXPECT_EQ(one_.plane->conflict(), "");
  const std::string entry = presence("n2");
  cluster_.executor.advance(2min);
  EXPECT_EQ(presence("n2"), entry) << "they must not overwrite each other in turns";
  EXPECT_EQ(twin.plane->conflict(), "");
  EXPECT_EQ(one_.view("paris").nodes.size(), 2u);
}

TEST_F(IdentityTest, ANodeThatHasItsNameForItselfAgainComesBack) {
  auto twin = std::make_unique<Node>(cluster_, "n2");
  twin->start();
  tick();
  ASSERT_NE(two_.plane->conflict(), "");
  twin->plane->stop();
  tick();
  EXPECT_EQ(two_.plane->conflict(), "");
  tick();
  EXPECT_EQ(one_.plane->nodes().size(), 2u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kRunning);
}

TEST_F(IdentityTest, ANodeThatStopsLeavesTheEntriesOfItsNamesake) {
  Node twin(cluster_, "n2");
  twin.start();
  const std::string entry = presence("n2");
  two_.plane->stop();  // before it could see it
  tick();
  EXPECT_EQ(presence("n2"), entry);
  tick();
  EXPECT_EQ(one_.view("paris").nodes.size(), 2u);
  EXPECT_EQ(one_.view("paris").state, ObservedState::kRunning);
}

TEST_F(IdentityTest, ANodeThatCrashedTakesItsFormerPlaceWithoutComplaint) {
  const std::string former = presence("n2");
  const auto session = two_.crash_and_leave_session();
  EXPECT_EQ(presence("n2"), former);
  two_.start();
  tick();
  EXPECT_NE(presence("n2"), former);
  EXPECT_EQ(two_.plane->conflict(), "");
  EXPECT_EQ(one_.plane->nodes().size(), 2u);
}

TEST_F(IdentityTest, WhatTheFormerProcessSaidIsNoVoteOfTheNewOne) {
  two_.driver.observe_as("paris", ObservedState::kPaused);
  ASSERT_TRUE(one_.pause("paris"));
  tick();
  ASSERT_EQ(one_.view("paris").state, ObservedState::kPaused);
  const auto session = two_.crash_and_leave_session();
  // The new process is there and has said nothing yet.
  testing::FakeStateStore store(cluster_.tree, cluster_.executor);
  ASSERT_TRUE(
      write_one(store, {StateWrite::Kind::kEphemeral, "/backbeat/fermata/nodes/n2", R"({"id":"n2","instance":"new","services":["crr"]})"}));
  tick();
  EXPECT_EQ(one_.view("paris").state, ObservedState::kPausing);
}

TEST_F(IdentityTest, WhatANodeSaidIsSaidAgainWhenItIsGoneWithoutItsPresence) {
  ASSERT_NE(cluster_.data("/backbeat/fermata/observed/crr/n2.0000"), "");
  {
    const std::lock_guard lock(cluster_.tree->mutex);
    cluster_.tree->nodes.erase("/backbeat/fermata/observed/crr/n2.0000");
  }
  cluster_.executor.advance(31s);
  EXPECT_NE(cluster_.data("/backbeat/fermata/observed/crr/n2.0000"), "");
}

TEST_F(IdentityTest, AServiceThatCameWhileTheStoreWasLostIsAnnouncedLater) {
  two_.store->watching = false;
  two_.store->fake.set_down("no quorum");
  testing::FakeDriver driver;
  driver.hold();
  ASSERT_TRUE(two_.plane->add_service({"ingestion", "ingestion", "backbeat-ingestion", false, {{"rome"}}}, &driver));
  ASSERT_TRUE(one_.plane->add_service({"ingestion", "ingestion", "backbeat-ingestion", false, {{"rome"}}}, &one_.driver));
  tick();
  EXPECT_EQ(one_.view("rome", "ingestion").nodes.size(), 1u);
  two_.store->fake.set_down("");
  cluster_.executor.advance(2s);
  EXPECT_EQ(one_.view("rome", "ingestion").nodes.size(), 2u);
  EXPECT_EQ(one_.view("rome", "ingestion").state, ObservedState::kStarting);
  two_.plane->stop();
  one_.plane->remove_service("ingestion");
}

}  // namespace
}  // namespace fermata::control
