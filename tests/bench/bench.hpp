#pragma once
// What the benches of queues and pipelines share: records, costs, and a service that does nothing.

#include "base/worker_pool.hpp"
#include "pipeline/service_pipelines.hpp"
#include "ports/queue.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fermata::bench {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kValueBytes = 1'024;
constexpr int kBatch = 1'000;
constexpr int kKeys = 10'000;

inline std::string key_of(std::int64_t number) { return "bucket/object-" + std::to_string(number % kKeys); }

inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// What a stretch of work cost this process.
struct Cost {
  double per_second = 0;
  double cpu_us = 0;  // per record
};

inline Cost measure(std::int64_t records, const std::function<void()>& work) {
  const auto begin = SteadyClock::now();
  const double cpu = cpu_seconds();
  work();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  const auto count = static_cast<double>(records);
  return {count / seconds, (cpu_seconds() - cpu) * 1e6 / count};
}

inline void check(const Status& status) {
  if (!status) throw std::runtime_error(status.text());
}

inline void wait_for(const char* what, const std::function<bool()>& condition) {
  const auto deadline = SteadyClock::now() + std::chrono::minutes(10);
  while (!condition()) {
    if (SteadyClock::now() > deadline) throw std::runtime_error(std::string("timed out waiting for ") + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

inline void print(const char* what, const Cost& cost) {
  std::printf("%-44s %10.0f records/s %8.2f us CPU/record\n", what, cost.per_second, cost.cpu_us);
}

/// Appends `count` records of 1 KiB to "topic" and waits until they are durable.
inline void produce(Queue& queue, std::int64_t count) {
  constexpr std::ptrdiff_t kUnderWay = 16;  // batches
  std::counting_semaphore<kUnderWay> slots(kUnderWay);
  std::atomic<int> failures{0};
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    std::vector<NewRecord> records;
    for (std::int64_t number = begin; number < std::min(begin + kBatch, count); ++number)
      records.push_back({"topic", key_of(number), std::string(kValueBytes, 'x')});
    slots.acquire();
    check(queue.produce(std::move(records), [&](const Status& status) {
      if (!status) ++failures;
      slots.release();
    }));
  }
  for (std::ptrdiff_t i = 0; i < kUnderWay; ++i) slots.acquire();
  if (failures > 0) throw std::runtime_error("records could not be produced");
}

/// One service with one processor that does nothing but note when it was called.
class NoOpService {
 public:
  /// `ports` is a backend that gives kv(), state() and leases().
  template <typename Ports>
  NoOpService(Queue& queue, Ports& ports)
      : pipelines_("bench", "/backbeat/bench", {},
                   {queue, ports.kv(), ports.state(), ports.leases(), workers_, workers_, clock_, log_, metrics_}) {
    check(pipelines_.add_processor(
        {"no-op", "topic", "here", {}, 0, [this](const pipeline::DeliveredRecord&, const pipeline::Complete& complete) {
           last_delivery_.store(SteadyClock::now().time_since_epoch().count(), std::memory_order_relaxed);
           complete(pipeline::Outcome::kDone, {});
         }}));
    check(pipelines_.start());
  }
  ~NoOpService() { (void)pipelines_.stop(std::chrono::seconds(10)); }

  std::int64_t processed() { return pipelines_.counts("here").processed; }
  void set_gate(bool open) { pipelines_.set_gate("here", open); }

  /// From opening the gate to the last of `records`.
  Cost consume(std::int64_t records) {
    return measure(records, [&] {
      set_gate(true);
      wait_for("the records", [&] { return processed() >= records; });
    });
  }

  /// Pauses a pipeline that is at work again and again. @return from the call to the last delivery, in us, sorted.
  std::vector<double> pause_latencies(int rounds) {
    std::vector<double> latencies;
    for (int round = 0; round < rounds; ++round) {
      const std::int64_t before = processed();
      set_gate(true);
      wait_for("records to flow", [&] { return processed() > before; });
      const auto begin = SteadyClock::now();
      set_gate(false);
      const auto returned = SteadyClock::now();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a delivery that came late would show
      const SteadyClock::time_point last{SteadyClock::duration(last_delivery_.load())};
      if (last > returned) throw std::runtime_error("a record was delivered after set_gate returned");
      latencies.push_back(std::max(0.0, std::chrono::duration<double, std::micro>(last - begin).count()));
    }
    std::sort(latencies.begin(), latencies.end());
    return latencies;
  }

 private:
  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kWarn}};
  telemetry::Metrics metrics_;
  WorkerPool workers_{"bench", 2};
  std::atomic<SteadyClock::rep> last_delivery_{0};
  pipeline::ServicePipelines pipelines_;
};

}  // namespace fermata::bench
