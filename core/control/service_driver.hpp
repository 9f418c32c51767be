#pragma once

#include "control/types.hpp"

#include <functional>
#include <string_view>

namespace fermata::control {

/// One service as it runs on this node: what the reconciler drives. Threads: [any]; nothing blocks.
class ServiceDriver {
 public:
  virtual ~ServiceDriver() = default;

  /// Brings a location to this state, asynchronously. Gates close before it returns: after apply(l, true) nothing more is
  /// delivered. Idempotent; the last call wins. A location that the service does not have is ignored.
  virtual void apply(std::string_view location, bool paused) = 0;

  /// What this node does for the location now. Cheap.
  virtual LocationObservation observe(std::string_view location) const = 0;

  /// Called when a location's `state` or `message` may have changed; set once, before the first apply; empty to unset.
  virtual void on_change(std::function<void(std::string_view location)> callback) = 0;
};

}  // namespace fermata::control
