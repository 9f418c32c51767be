#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace fermata::testing {

/// A clock and an executor that move only when told: deterministic tests of everything that waits.
/// Tasks may be posted from any thread; they run in the thread that calls run_ready or advance.
class ManualExecutor final : public Executor, public Clock {
 public:
  WallTime now() const override {
    const std::lock_guard lock(mutex_);
    return wall_;
  }
  SteadyTime steady() const override {
    const std::lock_guard lock(mutex_);
    return steady_;
  }

  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(task));
  }
  TimerId post_after(std::chrono::nanoseconds delay, Task task) override {
    const std::lock_guard lock(mutex_);
    timers_.emplace(std::pair(steady_ + delay, ++last_id_), std::move(task));
    return last_id_;
  }
  bool cancel(TimerId id) override {
    const std::lock_guard lock(mutex_);
    return std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; }) > 0;
  }

  /// Runs what is due now, and what that posts. @return how many tasks ran.
  std::size_t run_ready() {
    std::size_t count = 0;
    while (run_one()) ++count;
    return count;
  }

  /// Moves both clocks on, running timers as they fall due, each at its own time.
  void advance(std::chrono::nanoseconds by) {
    const SteadyTime target = steady() + by;
    run_ready();
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (timers_.empty() || timers_.begin()->first.first > target) break;
        move_to(timers_.begin()->first.first);
      }
      run_ready();
    }
    {
      const std::lock_guard lock(mutex_);
      move_to(target);
    }
    run_ready();
  }

  /// Moves only the wall clock, as an operator setting the time would.
  void jump_wall(std::chrono::nanoseconds by) {
    const std::lock_guard lock(mutex_);
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

  std::size_t pending_timers() const {
    const std::lock_guard lock(mutex_);
    return timers_.size();
  }

 private:
  bool run_one() {
    Task task;
    {
      const std::lock_guard lock(mutex_);
      while (!timers_.empty() && timers_.begin()->first.first <= steady_) {
        ready_.push_back(std::move(timers_.begin()->second));
        timers_.erase(timers_.begin());
      }
      if (ready_.empty()) return false;
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task();
    return true;
  }

  void move_to(SteadyTime target) {
    if (target <= steady_) return;
    wall_ += std::chrono::duration_cast<WallTime::duration>(target - steady_);
    steady_ = target;
  }

  mutable std::mutex mutex_;  // guards everything below
  WallTime wall_ = WallTime(std::chrono::seconds(1'795'000'000));
  SteadyTime steady_ = SteadyTime(std::chrono::seconds(1'000));
  std::deque<Task> ready_;
  std::map<std::pair<SteadyTime, TimerId>, Task> timers_;
  TimerId last_id_ = 0;
};

}  // namespace fermata::testing
