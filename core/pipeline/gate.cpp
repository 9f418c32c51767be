#include "pipeline/gate.hpp"

#include <algorithm>

namespace fermata::pipeline {

bool Gate::try_enter() {
  const std::lock_guard lock(mutex_);
  if (!is_open()) return false;
  inside_.push_back(std::this_thread::get_id());
  return true;
}

void Gate::leave() {
  const std::lock_guard lock(mutex_);
  inside_.erase(std::find(inside_.begin(), inside_.end(), std::this_thread::get_id()));
  if (waiting_ > 0) left_.notify_all();
}

bool Gate::others_inside() const {
  return std::any_of(inside_.begin(), inside_.end(), [](auto thread) { return thread != std::this_thread::get_id(); });
}

bool Gate::set(bool open) {
  // Before the lock, so that a caller who enters and leaves in a loop does not keep us from getting it.
  const bool changed = open_.exchange(open) != open;
  if (open) return changed;
  std::unique_lock lock(mutex_);
  ++waiting_;
  left_.wait_for(lock, kPatience, [this] { return !others_inside() || is_open(); });
  --waiting_;
  return changed;
}

}  // namespace fermata::pipeline
