#include "base/strand.hpp"

#include "base/worker_pool.hpp"
#include "support/manual_executor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <vector>

namespace fermata {
namespace {

TEST(Strand, RunsTasksInOrderOneAtATimeOnManyThreads) {
  WorkerPool pool("test", 4);
  const Strand strand(pool);
  std::vector<int> order;  // unguarded on purpose: the strand is the guard
  std::atomic<int> inside = 0;
  std::promise<void> done;
  for (int i = 0; i < 10'000; ++i) {
    strand.post([&, i] {
      EXPECT_EQ(++inside, 1);
      order.push_back(i);
      --inside;
      if (i == 9'999) done.set_value();
    });
  }
  ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  pool.stop();
  ASSERT_EQ(order.size(), 10'000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Strand, DoesNotKeepTheExecutorFromOthersForLong) {
  testing::ManualExecutor executor;
  const Strand busy(executor);
  int ran = 0;
  for (int i = 0; i < 1'000; ++i) busy.post([&ran] { ++ran; });
  int ran_before_other = -1;
  executor.post([&] { ran_before_other = ran; });
  executor.run_ready();
  EXPECT_EQ(ran, 1'000);
  EXPECT_LT(ran_before_other, 100);
}

}  // namespace
}  // namespace fermata
