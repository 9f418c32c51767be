#include "control/scheduler.hpp"

#include <algorithm>

namespace fermata::control {
namespace {

// A schedule that is due and still there could not be stored: the store is down, or busy.
constexpr std::chrono::seconds kRetry{1};

}  // namespace

Scheduler::Scheduler(Executor& executor, const Clock& clock, std::chrono::milliseconds max_wait, OnDue on_due)
    : executor_(executor), clock_(clock), max_wait_(max_wait), on_due_(std::move(on_due)) {}

Scheduler::~Scheduler() { cancel(); }

void Scheduler::set(const Key& key, std::optional<WallTime> due) {
  const auto known = schedules_.find(key);
  if (known == schedules_.end() && !due) return;
  if (known != schedules_.end()) {
    if (known->second == due) return;
    by_time_.erase({known->second, key});
    schedules_.erase(known);
  }
  if (due) {
    schedules_.emplace(key, *due);
    by_time_.emplace(*due, key);
  }
  arm();
}

void Scheduler::remove_service(std::string_view service) {
  std::erase_if(schedules_, [service](const auto& schedule) { return schedule.first.first == service; });
  std::erase_if(by_time_, [service](const auto& entry) { return entry.second.first == service; });
  arm();
}

void Scheduler::run_due() {
  cancel();
  const auto due = due_now();
  if (!due.empty()) on_due_(due);
  if (!by_time_.empty() && by_time_.begin()->first <= clock_.now())
    arm_after(kRetry);
  else
    arm();
}

std::vector<Scheduler::Key> Scheduler::due_now() const {
  const WallTime now = clock_.now();
  std::vector<Key> due;
  for (const auto& [time, key] : by_time_) {
    if (time > now) break;
    due.push_back(key);
  }
  return due;
}

void Scheduler::arm() {
  if (by_time_.empty()) return cancel();
  const WallTime next = by_time_.begin()->first;
  if (timer_ != 0 && armed_for_ == next) return;
  const std::chrono::nanoseconds left = next - clock_.now();
  arm_after(std::clamp<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0), max_wait_));
}

void Scheduler::arm_after(std::chrono::nanoseconds delay) {
  cancel();
  armed_for_ = by_time_.begin()->first;
  timer_ = executor_.post_after(delay, [this] {
    timer_ = 0;
    run_due();
  });
}

void Scheduler::cancel() {
  if (timer_ != 0) executor_.cancel(timer_);
  timer_ = 0;
}

}  // namespace fermata::control
