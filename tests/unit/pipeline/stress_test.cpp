// Many threads at once; meant for the thread sanitizer, and true without it.

#include "base/worker_pool.hpp"
#include "fixture.hpp"
#include "pipeline/gate.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

namespace fermata::pipeline {
namespace {

constexpr int kRecords = 20'000;
constexpr int kKeys = 64;

/// Waits for a condition, at most a minute. @return whether it came true.
template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 1min;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Completes on a pool of its own, and notices deliveries that break a promise.
class StressProcessor {
 public:
  ProcessorSpec spec() {
    return {"replicate", "topic", "paris", {}, 0, [this](const DeliveredRecord& delivered, Complete complete) {
              if (closed_) ++broken;
              const auto key = static_cast<std::size_t>(std::stoi(delivered.record->key));
              if (busy_[key].exchange(true)) ++broken;
              const std::int64_t offset = delivered.record->offset;
              if (last_[key].exchange(offset) > offset) ++broken;
              const bool retry = delivered.attempt == 1 && offset % 97 == 0;
              auto finish = [this, key, retry, complete = std::move(complete)] {
                busy_[key] = false;
                complete(retry ? Outcome::kRetry : Outcome::kDone, "again");
              };
              if (offset % 5 == 0) return finish();
              completers_.post(std::move(finish));
            }};
  }
  void set_closed(bool closed) { closed_ = closed; }

  std::atomic<int> broken{0};

 private:
  std::atomic<bool> closed_{false};
  std::array<std::atomic<bool>, kKeys> busy_{};
  std::array<std::atomic<std::int64_t>, kKeys> last_{};
  WorkerPool completers_{"complete", 2};  // last: its tasks use what is above
};

class Stress : public ::testing::Test {
 protected:
  WorkerPool workers_{"workers", 3};
  testing::FakeQueue queue_{workers_};
  testing::FakeKeyValueStore kv_;
  testing::FakeStateStore store_{std::make_shared<testing::FakeStateTree>(), workers_};
  testing::FakeLeases leases_{workers_};
  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kError}};
  telemetry::Metrics metrics_;
};

TEST_F(Stress, NothingIsDeliveredWhileTheGateIsClosedAndAllOfItInTheEnd) {
  StressProcessor processor;
  ServicePipelines pipelines("crr", "/backbeat/crr", {.retry_first = 1ms, .retry_max = 2ms, .commit_interval = 5ms},
                             {queue_, kv_, store_, leases_, workers_, workers_, clock_, log_, metrics_});
  ASSERT_TRUE(pipelines.add_processor(processor.spec()));
  std::atomic<int> changes{0};
  pipelines.on_change([&](std::string_view) { ++changes; });
  ASSERT_TRUE(pipelines.start());

  std::thread producer([this] {
    for (int i = 0; i < kRecords; ++i) queue_.append("topic", std::to_string(i * 7 % kKeys), "v");
  });
  std::atomic<bool> stop{false};
  std::thread operator_thread([&] {
    while (!stop) {
      processor.set_closed(false);
      pipelines.set_gate("paris", true);
      for (int turn = 0; turn < 100; ++turn) std::this_thread::yield();
      const auto began = std::chrono::steady_clock::now();
      pipelines.set_gate("paris", false);
      // The gate gives up waiting for whoever is inside after its patience, which only a machine that stands still uses up.
      processor.set_closed(std::chrono::steady_clock::now() - began < Gate::kPatience);
      (void)pipelines.counts("paris");
      (void)metrics_.text();
    }
    processor.set_closed(false);
    pipelines.set_gate("paris", true);
  });
  producer.join();
  EXPECT_TRUE(eventually([&] { return pipelines.counts("paris").processed > kRecords / 2; }));
  stop = true;
  operator_thread.join();
  EXPECT_TRUE(eventually([&] { return pipelines.counts("paris").lag == 0; }));
  EXPECT_EQ(pipelines.counts("paris").processed, kRecords);
  EXPECT_EQ(processor.broken, 0);
  EXPECT_GT(changes, 0);
  EXPECT_TRUE(pipelines.stop(10s));
}

TEST_F(Stress, PartitionsThatMoveWhileRecordsCompleteLoseNothing) {
  WorkerPool completers("complete", 2);
  std::mutex mutex;
  std::set<std::string> done;  // guarded by mutex
  ServicePipelines pipelines("crr", "/backbeat/crr", {.commit_interval = 1ms},
                             {queue_, kv_, store_, leases_, workers_, workers_, clock_, log_, metrics_});
  ASSERT_TRUE(pipelines.add_processor({"replicate", "topic", "paris", {}, 0, [&](const DeliveredRecord& delivered, Complete complete) {
                                         completers.post([&, value = delivered.record->value, complete = std::move(complete)] {
                                           {
                                             const std::lock_guard lock(mutex);
                                             done.insert(value);
                                           }
                                           complete(Outcome::kDone, {});
                                         });
                                       }}));
  ASSERT_TRUE(pipelines.start());
  pipelines.set_gate("paris", true);
  for (int i = 0; i < kRecords; ++i) {
    queue_.append("topic", std::to_string(i % kKeys), std::to_string(i));
    if (i % 400 == 0) queue_.revoke("topic", "crr-paris", {i / 400 % 4});
    if (i % 400 == 200) queue_.assign("topic", "crr-paris", {i / 400 % 4});
  }
  // The lag says nothing about partitions that are elsewhere at the moment.
  EXPECT_TRUE(eventually([&] {
    std::int64_t committed = 0;
    for (int partition = 0; partition < 4; ++partition) committed += queue_.committed("topic", "crr-paris", partition);
    return committed == kRecords;
  }));
  EXPECT_TRUE(pipelines.stop(10s));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(done.size(), static_cast<std::size_t>(kRecords));
}

TEST_F(Stress, StoppingRightAfterTheLastCompletionIsSafe) {
  for (int round = 0; round < 200; ++round) {
    auto workers = std::make_unique<WorkerPool>("workers", 2);
    WorkerPool completers("complete", 2);
    testing::FakeQueue queue(*workers);
    auto pipelines = std::make_unique<ServicePipelines>(
        "crr", "/backbeat/crr", PipelineOptions{},
        ServicePipelines::Dependencies{queue, kv_, store_, leases_, *workers, *workers, clock_, log_, metrics_});
    std::atomic<int> delivered_count{0};
    ASSERT_TRUE(pipelines->add_processor({"replicate", "topic", "paris", {}, 0, [&](const DeliveredRecord&, Complete complete) {
                                            ++delivered_count;
                                            completers.post([complete = std::move(complete)] { complete(Outcome::kDone, {}); });
                                          }}));
    ASSERT_TRUE(pipelines->start());
    pipelines->set_gate("paris", true);
    for (int i = 0; i < 10; ++i) queue.append("topic", std::to_string(i), "v");
    ASSERT_TRUE(eventually([&] { return delivered_count >= 1; }));
    EXPECT_TRUE(pipelines->stop(10s));
    pipelines.reset();
    workers.reset();
  }
}

}  // namespace
}  // namespace fermata::pipeline
