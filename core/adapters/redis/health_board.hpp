#pragma once

#include "ports/health.hpp"
#include "telemetry/log.hpp"

#include <array>
#include <cstddef>

namespace fermata::redis {

/// Puts together how the parts of the adapter are. Not good until both connections stand. Logs each change.
class HealthBoard {
 public:
  enum class Part { kCommands, kSubscriber, kWrites };

  HealthBoard(const Clock& clock, telemetry::Log& log);

  /// Threads: one, the dispatcher.
  void set(Part part, const Status& status);
  /// Threads: [any].
  Health get() const { return cell_.get(); }

 private:
  telemetry::Log& log_;
  HealthCell cell_;
  std::array<Status, 3> parts_;  // by Part
  bool told_good_ = true;        // what the log said last; nothing at first, as connecting is no news
};

}  // namespace fermata::redis
