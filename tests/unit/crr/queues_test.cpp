#include "journal/due_paths.hpp"
#include "unit/crr/directory_fixture.hpp"
#include "work/fair_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>

namespace fermata::crr {
namespace {

using testing::eventually;

DuePaths::Time at(int second) { return DuePaths::Time(std::chrono::seconds(second)); }

TEST(DuePaths, GivesWhatIsDueInOrderOfTime) {
  DuePaths paths(10);
  paths.add("late", at(9), false, at(0));
  paths.add("second", at(2), false, at(0));
  paths.add("first", at(1), true, at(0));
  EXPECT_EQ(paths.next_due(), at(1));
  EXPECT_EQ(paths.take(at(5))->path, "first");
  EXPECT_EQ(paths.take(at(5))->path, "second");
  EXPECT_FALSE(paths.take(at(5)));
  EXPECT_EQ(paths.size(), 1u);
}

TEST(DuePaths, AddingAgainKeepsTheEarlierTimesAndThatItIsComplete) {
  DuePaths paths(10);
  paths.add("a", at(5), true, at(1));
  paths.add("a", at(3), false, at(2));
  paths.add("a", at(9), false, at(3));
  EXPECT_EQ(paths.size(), 1u);
  const auto taken = paths.take(at(3));
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->complete);
  EXPECT_EQ(taken->since, at(1));
}

TEST(DuePaths, IsBounded) {
  DuePaths paths(1);
  EXPECT_TRUE(paths.add("a", at(1), false, at(1)));
  EXPECT_FALSE(paths.add("b", at(1), false, at(1)));
  EXPECT_TRUE(paths.add("a", at(2), false, at(1)));
  paths.clear();
  EXPECT_TRUE(paths.add("b", at(1), false, at(1)));
}

TEST(FairPool, LaneThatHangsLeavesAThreadForTheOthers) {
  FairPool pool(4, 2, 100);
  pool.start();
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> hanging{0};
  for (int i = 0; i < 10; ++i)
    pool.post(0, [&hanging, released] {
      ++hanging;
      released.wait();
    });
  ASSERT_TRUE(eventually([&] { return hanging == 3; }));
  std::atomic<int> done{0};
  for (int i = 0; i < 10; ++i) pool.post(1, [&done] { ++done; });
  EXPECT_TRUE(eventually([&] { return done == 10; }));
  EXPECT_EQ(hanging, 3);
  release.set_value();
  EXPECT_TRUE(eventually([&] { return hanging == 10; }));
}

TEST(FairPool, OneLaneGetsAllThreads) {
  FairPool pool(3, 1, 100);
  pool.start();
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> running{0};
  for (int i = 0; i < 3; ++i)
    pool.post(0, [&running, released] {
      ++running;
      released.wait();
    });
  EXPECT_TRUE(eventually([&] { return running == 3; }));
  release.set_value();
}

TEST(FairPool, RefusesWhatIsTooMuchAndDropsWhatWaitsWhenItStops) {
  FairPool pool(1, 1, 2);
  EXPECT_FALSE(pool.post(0, [] {})) << "not started";
  pool.start();
  std::promise<void> release;
  std::promise<void> running;
  pool.post(0, [&running, released = release.get_future().share()] {
    running.set_value();
    released.wait();
  });
  running.get_future().wait();
  std::atomic<int> ran{0};
  auto held = std::make_shared<int>();
  EXPECT_TRUE(pool.post(0, [&ran, held] { ++ran; }));
  EXPECT_TRUE(pool.post(0, [&ran, held] { ++ran; }));
  EXPECT_FALSE(pool.post(0, [&ran, held] { ++ran; }));
  std::thread stopper([&pool] { pool.stop(); });
  EXPECT_TRUE(eventually([&] { return held.use_count() == 1; })) << "what waits is dropped at once";
  release.set_value();
  stopper.join();
  EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace fermata::crr
