#include "pipeline/gate.hpp"

namespace fermata::pipeline {

bool Gate::try_enter() {
  const std::lock_guard lock(mutex_);
  if (!is_open()) return false;
  inside_ = true;
  inside_thread_ = std::this_thread::get_id();
  return true;
}

void Gate::leave() {
  const std::lock_guard lock(mutex_);
  inside_ = false;
  if (waiting_ > 0) left_.notify_all();
}

bool Gate::set(bool open) {
  // Before the lock, so that a caller who enters and leaves in a loop does not keep us from getting it.
  const bool changed = open_.exchange(open) != open;
  if (open) return changed;
  std::unique_lock lock(mutex_);
  if (!inside_ || inside_thread_ == std::this_thread::get_id()) return changed;
  ++waiting_;
  left_.wait_for(lock, kPatience, [this] { return !inside_ || is_open(); });
  --waiting_;
  return changed;
}

}  // namespace fermata::pipeline
