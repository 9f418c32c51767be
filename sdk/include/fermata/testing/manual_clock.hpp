#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace fermata::sdk::testing {

/// Time that moves only when told. Threads: [any].
class ManualClock {
 public:
  /// Nanoseconds since 1970; begins at 2026-11-18T16:26:40Z.
  int64_t unix_ns() const {
    const std::lock_guard lock(mutex_);
    return unix_.count();
  }
  int64_t monotonic_ns() const {
    const std::lock_guard lock(mutex_);
    return monotonic_.count();
  }
  void advance(std::chrono::nanoseconds by) {
    const std::lock_guard lock(mutex_);
    unix_ += by;
    monotonic_ += by;
  }
  /// Moves only the wall clock, as an operator setting the time would.
  void jump_wall(std::chrono::nanoseconds by) {
    const std::lock_guard lock(mutex_);
    unix_ += by;
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  std::chrono::nanoseconds unix_ = std::chrono::seconds(1'795'019'200);
  std::chrono::nanoseconds monotonic_ = std::chrono::seconds(1'000);
};

}  // namespace fermata::sdk::testing
