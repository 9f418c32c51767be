#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace fermata::sdk {
class Host;
}

namespace fermata::sdk::detail {

/// Closures that the host holds as a `void*` and calls back at most once. Those it never calls (cancelled, or dropped
/// because the service stops) are freed here, so none leaks. Threads: all methods [any].
template <typename... Args>
class PendingCalls {
 public:
  using Function = std::function<void(Args...)>;

  /// One closure; its address is what the host gets.
  struct Call {
    PendingCalls* owner;
    const Host* host;
    uint64_t serial;
    uint64_t timer_id;  ///< 0: none, or not yet known
    Function function;
  };

  Call* add(const Host* host, Function function) {
    const std::lock_guard lock(mutex_);
    const uint64_t serial = ++last_serial_;
    return &calls_.emplace(serial, Call{this, host, serial, 0, std::move(function)}).first->second;
  }

  /// Takes a closure out, to run or to drop it. The pointer is dead afterwards.
  static Function take(Call* call) { return call->owner->take(call->serial); }

  /// Remembers the timer id of the closure `serial`, unless it has run already.
  void name_timer(uint64_t serial, uint64_t timer_id) {
    const std::lock_guard lock(mutex_);
    const auto call = calls_.find(serial);
    if (call == calls_.end()) return;
    call->second.timer_id = timer_id;
    timers_.insert_or_assign(timer_id, serial);
  }

  /// Takes out the closure of a cancelled timer.
  Function take_timer(uint64_t timer_id) {
    uint64_t serial = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto timer = timers_.find(timer_id);
      if (timer == timers_.end()) return {};
      serial = timer->second;
    }
    return take(serial);
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }

 private:
  Function take(uint64_t serial) {
    const std::lock_guard lock(mutex_);
    auto node = calls_.extract(serial);
    if (!node) return {};
    timers_.erase(node.mapped().timer_id);
    return std::move(node.mapped().function);
  }

  mutable std::mutex mutex_;  // guards all below
  uint64_t last_serial_ = 0;
  std::unordered_map<uint64_t, Call> calls_;       // by serial; its nodes do not move
  std::unordered_map<uint64_t, uint64_t> timers_;  // timer id -> serial
};

}  // namespace fermata::sdk::detail
