#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace fermata::testing {

constexpr std::chrono::seconds kDeadline{60};

/// Asks again until `condition` holds, at most kDeadline. @return whether it does.
template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// What callbacks brought, in order of their calls. Threads: [any].
template <typename Value>
class Calls {
 public:
  void add(Value value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();  // under the lock: whoever waits may destroy this as soon as it is released
  }
  std::vector<Value> all() const {
    const std::lock_guard lock(mutex_);
    return values_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }
  /// Waits for at least `count` calls, at most kDeadline.
  bool reach(std::size_t count) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return values_.size() >= count; });
  }

 private:
  mutable std::mutex mutex_;  // guards values_
  mutable std::condition_variable changed_;
  std::vector<Value> values_;
};

}  // namespace fermata::testing
