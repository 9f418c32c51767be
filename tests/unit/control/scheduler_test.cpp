#include "control/scheduler.hpp"

#include "support/manual_executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::control {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SchedulerTest : public ::testing::Test {
 protected:
  testing::ManualExecutor executor_;
  std::vector<std::string> fired_;
  bool store_is_down_ = false;
  Scheduler scheduler_{executor_, executor_, 30s, [this](const auto& due) {
                         for (const auto& key : due) {
                           fired_.push_back(key.second);
                           if (!store_is_down_) scheduler_.set(key, std::nullopt);
                         }
                       }};
};

TEST_F(SchedulerTest, FiresInOrderOfTimeWithOneTimer) {
  const WallTime start = executor_.now();
  scheduler_.set({"crr", "late"}, start + 2h);
  scheduler_.set({"crr", "early"}, start + 1h);
  EXPECT_EQ(executor_.pending_timers(), 1u);
  executor_.advance(1h - 1ms);
  EXPECT_THAT(fired_, IsEmpty());
  executor_.advance(1ms);
  EXPECT_THAT(fired_, ElementsAre("early"));
  executor_.advance(1h);
  EXPECT_THAT(fired_, ElementsAre("early", "late"));
  EXPECT_EQ(executor_.pending_timers(), 0u);
}

TEST_F(SchedulerTest, NeverFiresTheTimeThatWasReplaced) {
  scheduler_.set({"crr", "paris"}, executor_.now() + 1h);
  scheduler_.set({"crr", "paris"}, executor_.now() + 3h);
  executor_.advance(2h);
  EXPECT_THAT(fired_, IsEmpty());
  executor_.advance(1h);
  EXPECT_THAT(fired_, ElementsAre("paris"));
}

TEST_F(SchedulerTest, FollowsTheWallClockWhenItJumps) {
  scheduler_.set({"crr", "paris"}, executor_.now() + 10h);
  executor_.jump_wall(11h);
  executor_.advance(30s);
  EXPECT_THAT(fired_, ElementsAre("paris"));

  scheduler_.set({"crr", "paris"}, executor_.now() + 1min);
  executor_.jump_wall(-1h);
  executor_.advance(2min);
  EXPECT_THAT(fired_, ElementsAre("paris"));
  executor_.advance(1h);
  EXPECT_THAT(fired_, ElementsAre("paris", "paris"));
}

TEST_F(SchedulerTest, TriesAgainEverySecondWhatCouldNotBeStored) {
  store_is_down_ = true;
  scheduler_.set({"crr", "paris"}, executor_.now() - 1s);
  executor_.advance(0s);
  EXPECT_EQ(fired_.size(), 1u);
  executor_.advance(2s);
  EXPECT_EQ(fired_.size(), 3u);
  store_is_down_ = false;
  executor_.advance(10s);
  EXPECT_EQ(fired_.size(), 4u);
}

TEST_F(SchedulerTest, ForgetsAService) {
  scheduler_.set({"crr", "paris"}, executor_.now() + 1h);
  scheduler_.set({"ingestion", "paris"}, executor_.now() + 1h);
  scheduler_.remove_service("crr");
  executor_.advance(2h);
  EXPECT_EQ(fired_.size(), 1u);
  scheduler_.remove_service("ingestion");
  EXPECT_EQ(executor_.pending_timers(), 0u);
}

}  // namespace
}  // namespace fermata::control
