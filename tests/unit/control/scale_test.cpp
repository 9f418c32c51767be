// 10,000 locations cost batches and one timer, not writes and timers each.
#include "fixture.hpp"

#include <fmt/format.h>

namespace fermata::control {
namespace {

constexpr std::size_t kLocations = 10'000;

class ScaleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<LocationSpec> locations;
    for (std::size_t i = 0; i < kLocations; ++i) locations.push_back({fmt::format("location-{:05}", i)});
    node_.start(crr(std::move(locations)));
  }

  Cluster cluster_;
  Node node_{cluster_, "n1"};
};

TEST_F(ScaleTest, StartsWithTenBatches) { EXPECT_LE(node_.store->writes, 12); }

TEST_F(ScaleTest, PausesAllWithAtMostTenWritesAndOneRead) {
  const int writes = node_.store->writes;
  const int lists = node_.store->lists;
  const auto began = std::chrono::steady_clock::now();
  const auto changed = node_.pause("all");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->size(), kLocations);
  EXPECT_LE(node_.store->writes - writes, 10);
  EXPECT_EQ(node_.store->lists - lists, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s) << "generous, for sanitizers on a busy machine";
  EXPECT_EQ(node_.driver.take_applied().size(), 2 * kLocations);
  EXPECT_EQ(node_.audit().size(), 1u);
}

TEST_F(ScaleTest, SchedulesShareOneTimer) {
  ASSERT_TRUE(node_.pause("all"));
  cluster_.executor.advance(1s);
  const auto timers = cluster_.executor.pending_timers();
  ASSERT_TRUE(node_.schedule("all", cluster_.now() + 1min));
  cluster_.executor.advance(1s);
  EXPECT_LE(cluster_.executor.pending_timers(), timers + 1);
  const int writes = node_.store->writes;
  cluster_.executor.advance(1min);
  EXPECT_EQ(node_.store->writes, writes + 10);
  EXPECT_EQ(node_.view("location-09999").state, ObservedState::kRunning);
}

TEST_F(ScaleTest, AConflictInOneBatchIsRetriedForThatBatchOnly) {
  node_.store->fake.before_next_write([this] { cluster_.force("location-00500", R"({"paused":false,"foreign":true})"); });
  const int writes = node_.store->writes;
  ASSERT_TRUE(node_.pause("all"));
  EXPECT_EQ(node_.store->writes, writes + 11);
  EXPECT_THAT(cluster_.state("location-00500"), HasSubstr(R"("foreign":true)"));
  EXPECT_THAT(cluster_.state("location-00500"), HasSubstr(R"("paused":true)"));
}

TEST_F(ScaleTest, WaitingForAllEndsWithTheLastOne) {
  node_.driver.hold();
  std::optional<bool> converged;
  ASSERT_TRUE(node_.pause("all"));
  node_.plane->wait_converged("crr", "all", 30s, [&](bool answer) { converged = answer; });
  for (std::size_t i = 0; i < kLocations; ++i) {
    EXPECT_FALSE(converged);
    node_.driver.observe_as(fmt::format("location-{:05}", i), ObservedState::kPaused);
    if (i % 1'000 == 0) cluster_.settle();
  }
  cluster_.settle();
  EXPECT_EQ(converged, true);
}

}  // namespace
}  // namespace fermata::control
