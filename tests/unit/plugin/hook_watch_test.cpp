#include "plugin/hook_watch.hpp"

#include "support/manual_executor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fermata::plugin {
namespace {

using std::chrono::milliseconds;

class HookWatchTest : public ::testing::Test {
 protected:
  testing::ManualExecutor executor;
  std::vector<std::string> reports;
  HookWatch watch{executor, executor,
                  [this](const Hook& hook, bool hung) { reports.push_back(std::string(hook.location) + (hung ? " hung" : " slow")); }};
};

TEST_F(HookWatchTest, SaysNothingOfAHookThatReturnsInTime) {
  watch.begin({Hook::Kind::kPause, "a", milliseconds(1'000)});
  executor.advance(milliseconds(999));
  EXPECT_EQ(watch.end(), milliseconds(0));
  executor.advance(milliseconds(10'000));
  EXPECT_TRUE(reports.empty());
}

TEST_F(HookWatchTest, ReportsASlowHookOnceAndThenThatItHangs) {
  watch.begin({Hook::Kind::kPause, "a", milliseconds(1'000)});
  executor.advance(milliseconds(1'000));
  EXPECT_EQ(reports, std::vector<std::string>({"a slow"}));
  executor.advance(milliseconds(8'999));
  EXPECT_EQ(reports.size(), 1u);
  executor.advance(milliseconds(1));
  EXPECT_EQ(reports, std::vector<std::string>({"a slow", "a hung"}));
  EXPECT_EQ(watch.end(), milliseconds(10'000));
  EXPECT_EQ(executor.pending_timers(), 0u);
}

TEST_F(HookWatchTest, MeasuresEachHookFromItsOwnBeginning) {
  watch.begin({Hook::Kind::kPause, "a", milliseconds(1'000)});
  executor.advance(milliseconds(900));
  watch.end();
  watch.begin({Hook::Kind::kPause, "b", milliseconds(1'000)});
  executor.advance(milliseconds(999));
  EXPECT_TRUE(reports.empty());
  executor.advance(milliseconds(1));
  EXPECT_EQ(reports, std::vector<std::string>({"b slow"}));
}

TEST_F(HookWatchTest, LongLimitOfAnEarlierHookDoesNotDelayTheReportOfAShortOne) {
  watch.begin({Hook::Kind::kStart, "start", milliseconds(30'000)});
  watch.end();
  watch.begin({Hook::Kind::kPause, "a", milliseconds(1'000)});
  executor.advance(milliseconds(1'000));
  EXPECT_EQ(reports, std::vector<std::string>({"a slow"}));
}

TEST_F(HookWatchTest, TenThousandQuickHooksCostOneTimer) {
  for (int i = 0; i < 10'000; ++i) {
    watch.begin({Hook::Kind::kResume, "a", milliseconds(1'000)});
    watch.end();
  }
  EXPECT_EQ(executor.pending_timers(), 1u);
}

TEST(HookWatch, IsSilentOnceDestroyed) {
  testing::ManualExecutor executor;
  bool reported = false;
  {
    HookWatch watch(executor, executor, [&](const Hook&, bool) { reported = true; });
    watch.begin({Hook::Kind::kPause, "a", milliseconds(10)});
  }
  executor.advance(milliseconds(100));
  EXPECT_FALSE(reported);
}

}  // namespace
}  // namespace fermata::plugin
