#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace fermata::pipeline {

/// Lets calls into a plugin through, or not. Once `set(false)` has returned, none begins.
///
/// Threads: [any]; who entered leaves on the same thread.
class Gate {
 public:
  /// How long closing waits for a call that is being made right now. One that takes longer breaks its contract ("returns
  /// soon"), has surely begun, and counts as in flight.
  static constexpr std::chrono::milliseconds kPatience{1'000};

  bool is_open() const { return open_.load(std::memory_order_acquire); }

  /// @return true if the call may be made; then `leave` must follow when it returned.
  bool try_enter();
  void leave();

  /// Closing waits until nobody but the caller is inside, at most kPatience. @return true if that changed it.
  bool set(bool open);

 private:
  bool others_inside() const;  // mutex_ held

  std::atomic<bool> open_{false};
  std::mutex mutex_;  // guards all below
  std::condition_variable left_;
  // A call may overlap the next one: what it starts can bring the next before it has returned.
  std::vector<std::thread::id> inside_;
  int waiting_ = 0;
};

}  // namespace fermata::pipeline
