#pragma once

#include "control/control_plane.hpp"
#include "control/types.hpp"

#include <optional>
#include <string_view>

namespace fermata::control {

/// What an operator's change makes of one location; nullopt: nothing is to be written. kSchedule comes with a date.
/// @param readable  false: the stored state cannot be read and `current` is the last good one. A pause or a resume then
///                  writes it anew; a schedule needs to know what it changes, and does nothing.
std::optional<DesiredState> after_change(const DesiredState& current, bool readable, const Change& change, WallTime now);

/// What the passing of time makes of one location: a schedule that is due is fired and removed, in one.
std::optional<DesiredState> after_due(const DesiredState& current, WallTime now);

/// As the audit trail calls it: "pause".
std::string_view to_string(Change::Kind kind);

}  // namespace fermata::control
