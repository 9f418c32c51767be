#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace fermata::pipeline {

/// Lets calls into a plugin through, one at a time, or not. Once `set(false)` has returned, none begins.
///
/// Threads: [any]; enter and leave by one thread at a time.
class Gate {
 public:
  /// How long closing waits for a call that is being made right now. One that takes longer breaks its contract ("returns
  /// soon"), has surely begun, and counts as in flight.
  static constexpr std::chrono::milliseconds kPatience{1'000};

  bool is_open() const { return open_.load(std::memory_order_acquire); }

  /// @return true if the call may be made; then `leave` must follow when it returned.
  bool try_enter();
  void leave();

  /// Closing waits until nobody is inside, at most kPatience; not for the caller itself. @return true if that changed it.
  bool set(bool open);

 private:
  std::atomic<bool> open_{false};
  std::mutex mutex_;  // guards all below
  std::condition_variable left_;
  bool inside_ = false;
  int waiting_ = 0;
  std::thread::id inside_thread_;
};

}  // namespace fermata::pipeline
