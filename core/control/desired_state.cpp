#include "control/desired_state.hpp"

#include "base/time_format.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace fermata::control {
namespace {

namespace json = boost::json;

constexpr std::string_view kPaused = "paused";
constexpr std::string_view kScheduledResume = "scheduledResume";
constexpr std::string_view kReason = "reason";
constexpr std::string_view kBy = "by";
constexpr std::string_view kAt = "at";

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::optional<WallTime> date_of(const json::object& object, std::string_view key) { return parse_rfc3339(text_of(object, key)); }

// As JavaScript sees it: null, false and "" mean that there is no schedule.
bool has_schedule(const json::object& object) {
  const auto* value = object.if_contains(kScheduledResume);
  if (value == nullptr || value->is_null()) return false;
  if (value->is_bool()) return value->as_bool();
  return !value->is_string() || !value->as_string().empty();
}

void set_text(json::object& object, std::string_view key, const std::string& text) {
  if (text.empty())
    object.erase(key);
  else
    object[key] = text;
}

void set_date(json::object& object, std::string_view key, const std::optional<WallTime>& date) {
  set_text(object, key, date ? format_iso(*date) : std::string());
}

}  // namespace

Result<StoredState> parse_state(std::string_view data) {
  json::error_code error;
  const json::value value = json::parse(data, error);
  if (error) return Status(Code::kInvalidArgument, fmt::format("not JSON: {}", error.message()));
  if (!value.is_object()) return Status(Code::kInvalidArgument, "not a JSON object");
  const auto& object = value.as_object();
  const auto* paused = object.if_contains(kPaused);
  if (paused == nullptr || !paused->is_bool()) return Status(Code::kInvalidArgument, "no boolean \"paused\" in it");

  StoredState state;
  state.desired = {paused->as_bool(), std::nullopt, text_of(object, kReason), text_of(object, kBy), date_of(object, kAt)};
  if (!state.desired.paused || !has_schedule(object)) return state;
  state.desired.scheduled_resume = date_of(object, kScheduledResume);
  if (!state.desired.scheduled_resume)
    state.warning = fmt::format("scheduledResume {} is not a date and is ignored", json::serialize(object.at(kScheduledResume)));
  return state;
}

std::string format_state(const DesiredState& desired, std::string_view before) {
  json::error_code error;
  json::value value = json::parse(before, error);
  if (error || !value.is_object()) value = json::object();
  auto& object = value.as_object();
  object[kPaused] = desired.paused;
  set_date(object, kScheduledResume, desired.scheduled_resume);
  set_text(object, kReason, desired.reason);
  set_text(object, kBy, desired.by);
  set_date(object, kAt, desired.at);
  return json::serialize(value);
}

}  // namespace fermata::control
