#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace fermata::crr {

/// Threads for blocking work of several lanes. Lanes take turns, and one lane never holds all threads (unless it is the
/// only one, or there is one thread), so that a target that hangs does not stop the others. Threads: [any].
class FairPool {
 public:
  using Task = std::function<void()>;

  /// @param capacity  tasks that may wait, over all lanes.
  FairPool(std::size_t threads, std::size_t lanes, std::size_t capacity);
  ~FairPool();
  FairPool(const FairPool&) = delete;
  FairPool& operator=(const FairPool&) = delete;

  /// [control] Tasks run from now on.
  void start();
  /// [control] Lets the tasks that run finish, destroys the others unrun, joins the threads. Idempotent.
  void stop();
  /// Tasks must not throw. @return false if the pool is full or not started; the task is destroyed.
  bool post(std::size_t lane, Task task);

 private:
  struct Lane {
    std::deque<Task> waiting;
    std::size_t running = 0;
  };

  void run();
  /// The next lane that may run a task; lanes_.size() if there is none. Called with the lock held.
  std::size_t choose() const;

  const std::size_t thread_count_;
  const std::size_t lane_limit_;  // tasks of one lane that run at one time
  const std::size_t capacity_;
  std::mutex mutex_;  // guards all below but threads_
  std::condition_variable changed_;
  std::vector<Lane> lanes_;
  std::size_t waiting_ = 0;
  std::size_t last_lane_ = 0;
  bool running_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fermata::crr
