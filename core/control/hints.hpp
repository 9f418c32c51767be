#pragma once

#include "control/control_plane.hpp"
#include "control/types.hpp"
#include "ports/state_store.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::control {

/// A message on a service's channel (WIRE section 2).
struct Message {
  enum class Kind {
    kIgnored,  ///< not ours and not Backbeat's, as Backbeat does
    kHint,     ///< another Fermata node stored something: look again
    kCommand,  ///< of a foreign API, which stores nothing: somebody must carry it out
    kRefused,  ///< a command that makes no sense; see `problem`
  };
  Kind kind = Kind::kIgnored;
  Version revision = StateWrite::kAnyVersion;   ///< kHint: the version that was stored, if it says
  Change::Kind command = Change::Kind::kPause;  ///< kCommand
  std::optional<WallTime> at = {};              ///< kCommand, kSchedule; may be in the past
  std::string problem = {};                     ///< kRefused
};

Message parse_message(std::string_view text);

/// What to tell the other nodes after `before` became `after`, stored as `version`: the commands that bring Backbeat's
/// processors there, marked as Fermata's own.
std::vector<std::string> hints_for(const DesiredState& before, const DesiredState& after, Version version);

}  // namespace fermata::control
