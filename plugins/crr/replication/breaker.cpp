#include "replication/breaker.hpp"

#include <utility>

namespace fermata::crr {
namespace {

const std::string kPrefix = "target-unreachable: ";

}  // namespace

void Breaker::note(bool failed, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  tries_.push_back(failed);
  failures_ += failed ? 1 : 0;
  if (tries_.size() > kWindow) {
    failures_ -= tries_.front() ? 1 : 0;
    tries_.pop_front();
  }
  const bool too_many = static_cast<double>(failures_) >= error_rate_ * static_cast<double>(tries_.size());
  if (failed && tries_.size() >= kLeastTries && too_many) reason_ = kPrefix + reason;
}

void Breaker::open(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  reason_ = kPrefix + reason;
}

bool Breaker::close() {
  const std::lock_guard lock(mutex_);
  tries_.clear();
  failures_ = 0;
  return !std::exchange(reason_, {}).empty();
}

std::string Breaker::why_open() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace fermata::crr
