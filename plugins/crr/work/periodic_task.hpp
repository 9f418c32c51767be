#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace fermata::crr {

/// Calls a function on a thread of its own, at once and then at an interval. Threads: start and stop are [control].
class PeriodicTask {
 public:
  /// @param task  must not throw; given a question that turns true when it should end early.
  using Task = std::function<void(const std::function<bool()>& stopping)>;

  PeriodicTask(std::chrono::milliseconds interval, Task task);
  ~PeriodicTask();
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

  void start();
  /// Waits for a call that runs, and joins. Idempotent.
  void stop();

 private:
  void run();

  const std::chrono::milliseconds interval_;
  const Task task_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fermata::crr
