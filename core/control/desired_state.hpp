#pragma once

#include "base/status.hpp"
#include "control/types.hpp"

#include <string>
#include <string_view>

namespace fermata::control {

/// A state node of the store, as Backbeat and Fermata write it (WIRE section 3).
struct StoredState {
  DesiredState desired;
  std::string warning = {};  ///< not empty: a part was ignored, and why
};

/// Reads a state node. A schedule that stands beside `"paused":false` is dropped; one that is no date is ignored with a
/// warning. kInvalidArgument, saying what is wrong, if it is not a JSON object with a boolean "paused".
Result<StoredState> parse_state(std::string_view data);

/// The state node for `desired`. Keys of `before` that Fermata does not know are kept; one that is no JSON object is replaced.
std::string format_state(const DesiredState& desired, std::string_view before);

}  // namespace fermata::control
