#include "control/hints.hpp"

#include "base/time_format.hpp"

#include <boost/json.hpp>

namespace fermata::control {
namespace {

namespace json = boost::json;

constexpr std::string_view kAction = "action";
constexpr std::string_view kDate = "date";
constexpr std::string_view kRevision = "revision";
constexpr std::string_view kPause = "pauseService";
constexpr std::string_view kResume = "resumeService";
constexpr std::string_view kUnschedule = "deleteScheduledResumeService";

std::string hint(std::string_view action, Version version, const std::optional<WallTime>& date = {}) {
  json::object object{{kAction, action}};
  if (date) object[kDate] = format_iso(*date);
  object[kRevision] = version;
  return json::serialize(object);
}

Message command(Change::Kind kind, std::optional<WallTime> at = {}) { return {.kind = Message::Kind::kCommand, .command = kind, .at = at}; }

// Also null is refused: it is what an invalid date becomes in JavaScript's JSON.
Message resume_command(const json::value* date) {
  if (date == nullptr) return command(Change::Kind::kResume);
  const auto at = date->is_string() ? parse_rfc3339(date->as_string()) : std::nullopt;
  if (!at) return {.kind = Message::Kind::kRefused, .problem = "date " + json::serialize(*date) + " is not a date"};
  return command(Change::Kind::kSchedule, at);
}

}  // namespace

Message parse_message(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return {};
  const auto& object = value.as_object();
  if (const auto* revision = object.if_contains(kRevision))
    return {.kind = Message::Kind::kHint, .revision = revision->is_int64() ? revision->as_int64() : StateWrite::kAnyVersion};
  const auto* action = object.if_contains(kAction);
  if (action == nullptr || !action->is_string()) return {};
  const std::string_view name = action->as_string();
  if (name == kPause) return command(Change::Kind::kPause);
  if (name == kResume) return resume_command(object.if_contains(kDate));
  if (name == kUnschedule) return command(Change::Kind::kUnschedule);
  return {};
}

std::vector<std::string> hints_for(const DesiredState& before, const DesiredState& after, Version version) {
  if (!after.paused) return {hint(kResume, version)};
  std::vector<std::string> hints;
  // Backbeat's processors keep their timer when they are paused again, and would resume by it.
  if (before.scheduled_resume && !after.scheduled_resume) hints.push_back(hint(kUnschedule, version));
  if (!before.paused) hints.push_back(hint(kPause, version));
  if (after.scheduled_resume) hints.push_back(hint(kResume, version, after.scheduled_resume));
  if (hints.empty()) hints.push_back(hint(kPause, version));
  return hints;
}

}  // namespace fermata::control
