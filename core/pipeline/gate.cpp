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
  std::unique_lock lock(mutex_);
  const bool changed = open_.exchange(open) != open;
  if (open || !inside_ || inside_thread_ == std::this_thread::get_id()) return changed;
  ++waiting_;
  left_.wait_for(lock, kPatience, [this] { return !inside_; });
  --waiting_;
  return changed;
}

}  // namespace fermata::pipeline
