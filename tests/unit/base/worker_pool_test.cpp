#include "base/worker_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace fermata {
namespace {

using namespace std::chrono_literals;

TEST(WorkerPool, RunsWhatIsPostedFromManyThreads) {
  WorkerPool pool("test", 3);
  std::atomic<int> ran = 0;
  std::promise<void> all;
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t)
    posters.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i)
        pool.post([&] {
          if (++ran == 4'000) all.set_value();
        });
    });
  for (auto& poster : posters) poster.join();
  EXPECT_EQ(all.get_future().wait_for(30s), std::future_status::ready);
}

TEST(WorkerPool, RunsTimersInTheOrderOfTheirDueTimes) {
  WorkerPool pool("test", 1);
  std::promise<std::vector<int>> order;
  auto seen = std::make_shared<std::vector<int>>();
  pool.post([&, seen] {  // on its only thread, so that none fires before all of them are there
    for (const int ms : {900, 300, 600})
      pool.post_after(std::chrono::milliseconds(ms), [&, seen, ms] {
        seen->push_back(ms);
        if (seen->size() == 3) order.set_value(*seen);
      });
  });
  auto result = order.get_future();
  ASSERT_EQ(result.wait_for(30s), std::future_status::ready);
  EXPECT_EQ(result.get(), (std::vector<int>{300, 600, 900}));
}

TEST(WorkerPool, ATimerFiresWhileTheOtherThreadIsBusyForLong) {
  for (int round = 0; round < 50; ++round) {
    WorkerPool pool("test", 2);
    std::promise<void> release;
    std::promise<void> fired;
    std::promise<void> busy;
    pool.post_after(5ms, [&] { fired.set_value(); });
    pool.post([&, released = release.get_future().share()] {
      busy.set_value();
      released.wait();
    });
    busy.get_future().wait();
    EXPECT_EQ(fired.get_future().wait_for(10s), std::future_status::ready) << "round " << round;
    release.set_value();
  }
}

TEST(WorkerPool, ACancelledTimerNeverRunsAndFreesItsTask) {
  WorkerPool pool("test", 1);
  auto alive = std::make_shared<int>(1);
  const TimerId id = pool.post_after(1h, [alive] { *alive = 2; });
  EXPECT_TRUE(pool.cancel(id));
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_FALSE(pool.cancel(id));
  EXPECT_EQ(*alive, 1);
}

TEST(WorkerPool, StopDropsWhatIsPendingAndJoins) {
  auto alive = std::make_shared<int>(0);
  WorkerPool pool("test", 2);
  pool.post_after(1h, [alive] {});
  pool.stop();
  pool.post([alive] { *alive = 1; });
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(*alive, 0);
}

TEST(WorkerPool, HoldsTensOfThousandsOfTimersCheaply) {
  WorkerPool pool("test", 1);
  std::vector<TimerId> ids;
  for (int i = 0; i < 50'000; ++i) ids.push_back(pool.post_after(1h + std::chrono::milliseconds(i % 1'000), [] {}));
  for (const TimerId id : ids) EXPECT_TRUE(pool.cancel(id));
}

}  // namespace
}  // namespace fermata
