#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace fermata::crr {

/// Threads for work that may block: tasks of one hash run one after the other, in the order in which they were posted.
/// Threads: post is [any]; start and stop are [control].
class OrderedPool {
 public:
  using Task = std::function<void()>;

  /// @param capacity  tasks that may wait for one thread.
  OrderedPool(std::size_t threads, std::size_t capacity);
  ~OrderedPool();
  OrderedPool(const OrderedPool&) = delete;
  OrderedPool& operator=(const OrderedPool&) = delete;

  void start();
  /// Lets the tasks that run finish, destroys the others unrun, joins the threads. Idempotent.
  void stop();
  /// Tasks must not throw. @return false if there is no room, or it is not started; the task is destroyed.
  bool post(std::size_t hash, Task task);

 private:
  struct Lane {
    std::mutex mutex;  // guards all below but thread
    std::condition_variable changed;
    std::deque<Task> waiting;
    bool running = false;
    std::thread thread;
  };

  static void run(Lane& lane);

  const std::size_t capacity_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace fermata::crr
