#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace fermata {

/// Stands between an object and the callbacks that wait for it on another thread: once close has returned, none runs.
/// Shared by both sides. Threads: [any]; callbacks run one at a time.
class CallbackGuard {
 public:
  /// Runs `call` here, outside the lock, unless closed.
  template <typename Call>
  void run(Call&& call) {
    {
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [this] { return !running_; });
      if (closed_) return;
      running_ = true;
      runner_ = std::this_thread::get_id();
    }
    call();
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
    }
    idle_.notify_all();
  }

  /// Waits for the callback that runs, if any, unless this is called from it.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait(lock, [this] { return !running_ || runner_ == std::this_thread::get_id(); });
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable idle_;
  bool closed_ = false;
  bool running_ = false;
  std::thread::id runner_;
};

}  // namespace fermata
