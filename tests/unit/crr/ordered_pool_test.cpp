#include "work/ordered_pool.hpp"

#include "unit/crr/directory_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>

namespace fermata::crr::testing {
namespace {

TEST(OrderedPool, RunsTasksOfOneHashInTheirOrder) {
  OrderedPool pool(4, 10'000);
  pool.start();
  std::mutex mutex;
  std::map<std::size_t, std::vector<int>> seen;
  std::atomic<int> done{0};
  for (int i = 0; i < 4'000; ++i) {
    const auto hash = static_cast<std::size_t>(i % 7);
    ASSERT_TRUE(pool.post(hash, [&, i, hash] {
      const std::lock_guard lock(mutex);
      seen[hash].push_back(i);
      ++done;
    }));
  }
  EXPECT_TRUE(eventually([&done] { return done == 4'000; }));
  pool.stop();
  for (const auto& [hash, order] : seen) EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << hash;
}

TEST(OrderedPool, RefusesWhatHasNoRoom) {
  OrderedPool pool(1, 2);
  const auto nothing = [] {};
  EXPECT_FALSE(pool.post(0, nothing)) << "it is not started";
  pool.start();
  std::mutex gate;
  std::atomic<bool> waits{false};
  std::unique_lock closed(gate);
  ASSERT_TRUE(pool.post(0, [&] {
    waits = true;
    const std::lock_guard lock(gate);
  }));
  EXPECT_TRUE(eventually([&waits] { return waits.load(); }));
  EXPECT_TRUE(pool.post(0, nothing));
  EXPECT_TRUE(pool.post(0, nothing));
  EXPECT_FALSE(pool.post(0, nothing));
  closed.unlock();
  pool.stop();
}

TEST(OrderedPool, DestroysUnrunWhatWaitsWhenItStops) {
  OrderedPool pool(1, 10);
  pool.start();
  std::mutex gate;
  std::atomic<bool> waits{false};
  std::unique_lock closed(gate);
  ASSERT_TRUE(pool.post(0, [&] {
    waits = true;
    const std::lock_guard lock(gate);
  }));
  EXPECT_TRUE(eventually([&waits] { return waits.load(); }));
  bool ran = false;
  const auto token = std::make_shared<int>(1);
  ASSERT_TRUE(pool.post(0, [&ran, token] { ran = true; }));
  std::thread stopping([&pool] { pool.stop(); });
  EXPECT_TRUE(eventually([&token] { return token.use_count() == 1; }));
  closed.unlock();
  stopping.join();
  EXPECT_FALSE(ran);
  EXPECT_FALSE(pool.post(0, [] {}));
}

}  // namespace
}  // namespace fermata::crr::testing
