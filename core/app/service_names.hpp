#pragma once

#include "base/status.hpp"
#include "ports/state_store.hpp"

#include <optional>
#include <string>

namespace fermata::app {

/// Under which names a service keeps its state, as its plugin's manifest says.
struct ServiceNames {
  std::string state_name;
  std::string topic;
  bool paused_at_first = false;

  bool operator==(const ServiceNames&) const = default;
};

/// Writes them to `path`, if they are not there already. Blocks for I/O.
Status remember(StateStore& store, const std::string& path, const ServiceNames& names);
/// What was remembered; nullopt if nothing was, or it cannot be read. Blocks for I/O.
std::optional<ServiceNames> recall(StateStore& store, const std::string& path);

}  // namespace fermata::app
