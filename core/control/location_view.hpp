#pragma once

#include "control/types.hpp"

#include <span>
#include <string>

namespace fermata::control {

/// What one live node says of a location.
struct NodeVote {
  std::string node;
  LocationObservation observation;
  bool heard = true;  ///< it says so knowing what is desired now
};

/// The state of a location in the cluster; see LocationView::state.
/// @param readable  false: the stored state cannot be read.
ObservedState aggregate(bool paused, bool readable, std::span<const NodeVote> votes);

/// Whether every live node is what is desired. A degraded one runs.
bool is_converged(bool paused, bool readable, std::span<const NodeVote> votes);

}  // namespace fermata::control
