#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace fermata::plugin {

/// Lets calls through until it is closed, and then knows when the last one has left: the line between "may still be
/// called" and "is gone". A call costs two atomic operations, and may nest. Threads: [any].
class CallGate {
 public:
  /// One call; true while it may proceed.
  class Pass {
   public:
    explicit Pass(CallGate& gate) : gate_(gate), open_(gate.enter()) {}
    ~Pass() {
      if (open_) gate_.leave();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    explicit operator bool() const { return open_; }

   private:
    CallGate& gate_;
    bool open_;
  };

  /// No further call passes. Waits for those inside. @return false if some are still inside after `timeout`.
  bool close(std::chrono::milliseconds timeout) {
    state_.fetch_or(kClosed);
    std::unique_lock lock(mutex_);
    return left_.wait_for(lock, timeout, [this] { return at_rest(); });
  }

  /// Closed, and nobody is inside.
  bool at_rest() const { return state_.load() == kClosed; }

 private:
  static constexpr std::uint64_t kClosed = 1u;  // the other bits count the calls inside
  static constexpr std::uint64_t kOne = 2u;

  bool enter() {
    if ((state_.fetch_add(kOne) & kClosed) == 0) return true;
    leave();
    return false;
  }
  void leave() {
    std::uint64_t state = state_.load();
    while ((state & kClosed) == 0)
      if (state_.compare_exchange_weak(state, state - kOne)) return;
    // Closed: the gate may be destroyed as soon as its owner sees that everybody left, so this is said under the mutex.
    const std::lock_guard lock(mutex_);
    if (state_.fetch_sub(kOne) == (kClosed | kOne)) left_.notify_all();
  }

  std::atomic<std::uint64_t> state_{0};
  std::mutex mutex_;  // only for waiting
  std::condition_variable left_;
};

}  // namespace fermata::plugin
