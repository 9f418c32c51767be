#include "plugin/location_table.hpp"

#include <gtest/gtest.h>

namespace fermata::plugin {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kNow{seconds(100)};
const Status kRefused{Code::kInternal, "refused"};

TEST(LocationTable, QueuesAHookPerChangeOfWhatIsWanted) {
  LocationTable table({"a", "b"});
  EXPECT_TRUE(table.want("a", true));
  EXPECT_FALSE(table.want("a", true)) << "nothing new";
  const auto job = table.next();
  ASSERT_TRUE(job);
  EXPECT_EQ(job->name, "a");
  EXPECT_TRUE(job->pause);
  EXPECT_FALSE(table.next());
  table.finished(*job, Status::ok(), kNow);
  EXPECT_TRUE(table.progress("a")->done);
}

TEST(LocationTable, CallsOneHookForChangesThatOvertakeEachOther) {
  LocationTable table({"a"});
  table.want("a", true);
  table.want("a", false);
  table.want("a", true);
  EXPECT_TRUE(table.next()->pause);
  EXPECT_FALSE(table.next());
}

TEST(LocationTable, ResultOfAHookThatIsNoLongerWantedCountsForNothing) {
  LocationTable table({"a"});
  table.want("a", true);
  const auto pause = table.next();
  table.want("a", false);
  table.finished(*pause, Status::ok(), kNow);
  EXPECT_FALSE(table.progress("a")->done);
  EXPECT_FALSE(table.next()->pause);
}

TEST(LocationTable, UnknownLocationIsIgnored) {
  LocationTable table({"a"});
  EXPECT_FALSE(table.want("x", true));
  EXPECT_FALSE(table.progress("x"));
  EXPECT_TRUE(table.wants_paused("x"));
}

TEST(LocationTable, LocationThatNobodySpokeOfCountsAsPaused) { EXPECT_TRUE(LocationTable({"a"}).wants_paused("a")); }

TEST(LocationTable, FailedHookIsDueAgainAfterABackOffThatGrows) {
  LocationTable table({"a"});
  table.want("a", true);
  table.finished(*table.next(), kRefused, kNow);
  EXPECT_EQ(table.progress("a")->trouble, "refused");
  EXPECT_FALSE(table.queue_due(kNow));
  EXPECT_TRUE(table.queue_due(kNow + seconds(1)));
  table.finished(*table.next(), kRefused, kNow);
  EXPECT_FALSE(table.queue_due(kNow + std::chrono::milliseconds(999)));
  EXPECT_TRUE(table.queue_due(kNow + seconds(2)));
  table.finished(*table.next(), Status::ok(), kNow);
  EXPECT_TRUE(table.progress("a")->done);
  EXPECT_TRUE(table.progress("a")->trouble.empty());
  EXPECT_FALSE(table.queue_due(kNow + seconds(1'000)));
}

TEST(LocationTable, NewWishForgetsTheTroubleOfTheOldOne) {
  LocationTable table({"a"});
  table.want("a", true);
  table.finished(*table.next(), kRefused, kNow);
  table.want("a", false);
  EXPECT_TRUE(table.progress("a")->trouble.empty());
  EXPECT_FALSE(table.next()->pause);
  EXPECT_FALSE(table.queue_due(kNow + seconds(1'000))) << "the old hook is not called any more";
}

TEST(LocationTable, OverrunIsTroubleUntilTheHookReturnsWell) {
  LocationTable table({"a"});
  table.want("a", true);
  const auto job = table.next();
  table.overran("a", "too slow");
  EXPECT_EQ(table.progress("a")->trouble, "too slow");
  table.finished(*job, Status::ok(), kNow);
  EXPECT_TRUE(table.progress("a")->trouble.empty());
}

TEST(LocationTable, SaysWhetherAStatusIsNews) {
  LocationTable table({"a"});
  const PluginStatus degraded{PluginStatus::State::kDegraded, "slow", ""};
  EXPECT_TRUE(table.set_status("a", degraded));
  EXPECT_FALSE(table.set_status("a", degraded));
  EXPECT_FALSE(table.set_status("x", degraded));
}

}  // namespace
}  // namespace fermata::plugin
