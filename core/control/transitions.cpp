#include "control/transitions.hpp"

#include "base/time_format.hpp"

namespace fermata::control {
namespace {

// As precise as it is stored, so that all nodes show the same.
WallTime stored(WallTime time) { return from_unix_ms(to_unix_ms(time)); }

// A new schedule without a reason leaves standing why the location is paused.
DesiredState rescheduled(const DesiredState& current, const Change& change, std::optional<WallTime> date, WallTime now) {
  return {true, date, change.reason.empty() ? current.reason : change.reason, change.by, stored(now)};
}

}  // namespace

std::optional<DesiredState> after_change(const DesiredState& current, bool readable, const Change& change, WallTime now) {
  switch (change.kind) {
    case Change::Kind::kPause:
      if (readable && current.paused && !current.scheduled_resume) return std::nullopt;
      return DesiredState{true, std::nullopt, change.reason, change.by, stored(now)};
    case Change::Kind::kResume:
      if (readable && !current.paused) return std::nullopt;
      return DesiredState{false, std::nullopt, change.reason, change.by, stored(now)};
    case Change::Kind::kSchedule:
      if (!readable || !current.paused) return std::nullopt;
      return rescheduled(current, change, stored(*change.at), now);
    case Change::Kind::kUnschedule:
      if (!readable || !current.scheduled_resume) return std::nullopt;
      return rescheduled(current, change, std::nullopt, now);
  }
  return std::nullopt;
}

std::optional<DesiredState> after_due(const DesiredState& current, WallTime now) {
  if (!current.paused || !current.scheduled_resume || *current.scheduled_resume > now) return std::nullopt;
  return DesiredState{false, std::nullopt, "scheduled resume", current.by, stored(now)};
}

std::string_view to_string(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kPause: return "pause";
    case Change::Kind::kResume: return "resume";
    case Change::Kind::kSchedule: return "schedule";
    case Change::Kind::kUnschedule: return "unschedule";
  }
  return "unknown";
}

}  // namespace fermata::control
