#pragma once

#include "base/clock.hpp"
#include "base/status.hpp"

#include <chrono>
#include <mutex>
#include <string>

namespace fermata {

/// Whether a dependency can be used, since when, and if not why. For readiness and messages.
struct Health {
  bool ok = true;
  std::string reason = {};
  std::chrono::system_clock::time_point since = {};
};

/// What an adapter remembers of its dependency: how the last attempt went, since when. Threads: [any].
class HealthCell {
 public:
  explicit HealthCell(const Clock& clock) : clock_(clock), health_{.since = clock.now()} {}

  /// @return true if this is a change from good to bad or back.
  bool set(const Status& status) {
    const std::lock_guard lock(mutex_);
    const bool changed = health_.ok != status.is_ok();
    if (changed) health_.since = clock_.now();
    health_.ok = status.is_ok();
    health_.reason = status.message();
    return changed;
  }
  Health get() const {
    const std::lock_guard lock(mutex_);
    return health_;
  }

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards health_
  Health health_;
};

}  // namespace fermata
