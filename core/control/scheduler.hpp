#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::control {

/// Says when schedules fall due, with one timer for all of them. Says so again until the schedule is removed, since it
/// is the state store that decides whether one fired. Follows the wall clock when it jumps, within `max_wait`.
/// Threads: its tasks and its caller take turns (see turns.hpp).
class Scheduler {
 public:
  using Key = std::pair<std::string, std::string>;  ///< service, location
  using OnDue = std::function<void(const std::vector<Key>& due)>;

  Scheduler(Executor& executor, const Clock& clock, std::chrono::milliseconds max_wait, OnDue on_due);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Replaces the schedule of `key`; nullopt removes it.
  void set(const Key& key, std::optional<WallTime> due);
  void remove_service(std::string_view service);
  /// Reports what is due now, without waiting for the timer.
  void run_due();

 private:
  void arm();
  void arm_after(std::chrono::nanoseconds delay);
  void cancel();
  std::vector<Key> due_now() const;

  Executor& executor_;
  const Clock& clock_;
  const std::chrono::milliseconds max_wait_;
  const OnDue on_due_;
  std::map<Key, WallTime> schedules_;
  std::set<std::pair<WallTime, Key>> by_time_;
  TimerId timer_ = 0;  // 0: none
  WallTime armed_for_;
};

}  // namespace fermata::control
