#include "plugin/hook_thread.hpp"

#include "plugin/graveyard.hpp"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace fermata::plugin {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::seconds kLong{20};

TEST(HookThread, RunsTasksInOrderOnOneThread) {
  HookThread thread("hooks");
  std::vector<int> seen;
  for (int i = 0; i < 100; ++i) thread.post([&seen, i] { seen.push_back(i); });
  ASSERT_TRUE(thread.run([] {}, kLong));
  ASSERT_EQ(seen.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(HookThread, RunGivesUpOnATaskThatHangsAndTheTaskGoesOn) {
  std::promise<void> release;
  std::promise<void> ended;
  HookThread thread("hooks");
  EXPECT_FALSE(thread.run(
      [&] {
        release.get_future().wait();
        ended.set_value();
      },
      milliseconds(1)));
  EXPECT_FALSE(thread.ended());
  release.set_value();
  EXPECT_EQ(ended.get_future().wait_for(kLong), std::future_status::ready);
}

TEST(HookThread, FinishDropsWhatWaitsAndRunsTheLastTask) {
  std::promise<void> begun;
  std::promise<void> release;
  std::atomic<bool> dropped_ran = false;
  std::atomic<bool> last_ran = false;
  HookThread thread("hooks");
  thread.post([&] {
    begun.set_value();
    release.get_future().wait();
  });
  thread.post([&] { dropped_ran = true; });
  begun.get_future().wait();
  EXPECT_FALSE(thread.finish([&] { last_ran = true; }, milliseconds(1)));
  release.set_value();
  EXPECT_TRUE(thread.finish([] {}, kLong));
  EXPECT_TRUE(thread.ended());
  EXPECT_TRUE(last_ran);
  EXPECT_FALSE(dropped_ran);
  EXPECT_FALSE(thread.run([] {}, kLong)) << "an ended thread runs nothing, and says so at once";
}

class Body final : public Stuck {
 public:
  Body(std::atomic<bool>& rests, std::atomic<int>& alive) : rests_(rests), alive_(alive) { ++alive_; }
  ~Body() override { --alive_; }
  bool at_rest() const override { return rests_; }

 private:
  std::atomic<bool>& rests_;
  std::atomic<int>& alive_;
};

TEST(Graveyard, KeepsWhatHangsAndFreesWhatCameToRest) {
  std::atomic<bool> rests = false;
  std::atomic<int> alive = 0;
  Graveyard graveyard;
  graveyard.bury(std::make_shared<Body>(rests, alive));
  EXPECT_EQ(graveyard.sweep(), 1u);
  EXPECT_EQ(alive, 1);
  rests = true;
  EXPECT_EQ(graveyard.sweep(), 0u);
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace fermata::plugin
