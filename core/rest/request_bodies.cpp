#include "rest/request_bodies.hpp"

#include "base/time_format.hpp"
#include "base/units.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>

namespace fermata::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxReasonBytes = 1'024;
constexpr std::size_t kMaxIds = 10'000;

Status invalid(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

bool is_blank(std::string_view body) { return body.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// A blank body is an empty object.
Result<json::object> parse_object(std::string_view body) {
  if (is_blank(body)) return json::object();
  boost::system::error_code error;
  json::value value = json::parse({body.data(), body.size()}, error);
  if (error) return invalid("the body is not JSON: " + error.message());
  if (!value.is_object()) return invalid("the body must be a JSON object, such as {}");
  return std::move(value.get_object());
}

Status check_keys(const json::object& object, std::initializer_list<std::string_view> allowed) {
  for (const auto& [key, value] : object) {
    const std::string_view name(key.data(), key.size());
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    std::string message = "key '" + std::string(name) + "' is unknown; allowed:";
    for (const auto one : allowed) message.append(" '").append(one).append("'");
    return invalid(std::move(message));
  }
  return Status::ok();
}

Result<json::object> parse_object(std::string_view body, std::initializer_list<std::string_view> allowed) {
  auto object = parse_object(body);
  if (!object) return object;
  if (Status status = check_keys(*object, allowed); !status) return status;
  return object;
}

/// Empty if the key is absent.
Result<std::string> text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr) return std::string();
  if (!value->is_string()) return invalid("key '" + std::string(key) + "' must be a string");
  return std::string(value->get_string().data(), value->get_string().size());
}

Result<std::string> reason_of(const json::object& object) {
  auto reason = text_of(object, "reason");
  if (reason && reason->size() > kMaxReasonBytes) return invalid("key 'reason' is longer than 1024 bytes; shorten it");
  return reason;
}

std::optional<std::int64_t> integer_of(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_double() && std::trunc(value.get_double()) == value.get_double() && std::abs(value.get_double()) <= kMaxHours)
    return static_cast<std::int64_t>(value.get_double());  // 6.0 and 1e2 are integers in JSON
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_string();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return error == std::errc() && digits && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Result<int> hours_of(const json::value& value) {
  const auto hours = integer_of(value);
  if (!hours || *hours < 1 || *hours > kMaxHours)
    return invalid("key 'hours' must be an integer, or a string of digits, from 1 to " + std::to_string(kMaxHours));
  return static_cast<int>(*hours);
}

Result<WallTime> time_of(const json::object& object, WallTime now) {
  if (const json::value* value = object.if_contains("hours")) {
    auto hours = hours_of(*value);
    if (!hours) return hours.status();
    return now + std::chrono::hours(*hours);
  }
  if (object.contains("after")) {
    auto text = text_of(object, "after");
    if (!text) return text.status();
    const auto delay = parse_duration(*text);
    if (!delay || delay->count() == 0 || *delay > std::chrono::hours(kMaxHours))
      return invalid("key 'after' must be a duration such as \"90s\", \"45m\", \"6h\" or \"2d\", up to 10 years");
    return now + *delay;
  }
  auto text = text_of(object, "at");
  if (!text) return text.status();
  const auto at = parse_rfc3339(*text);
  if (!at) return invalid("key 'at' must be an RFC 3339 time such as \"2026-11-23T02:00:00+01:00\"");
  if (*at <= now) return invalid("key 'at' is in the past (now: " + format_iso(now) + "); to resume now, POST to .../resume");
  if (*at > now + std::chrono::hours(kMaxHours)) return invalid("key 'at' is more than 10 years ahead");
  return *at;
}

Result<std::vector<std::string>> ids_of(const json::value& value) {
  const Status wrong = invalid("key 'ids' must be an array of 1 to 10000 strings, as GET .../failed shows them");
  const json::array* array = value.if_array();
  if (array == nullptr || array->empty() || array->size() > kMaxIds) return wrong;
  std::vector<std::string> ids;
  for (const auto& id : *array) {
    if (!id.is_string()) return wrong;
    ids.emplace_back(id.get_string().data(), id.get_string().size());
  }
  return ids;
}

}  // namespace

Result<int> parse_backbeat_hours(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.status();
  const json::value* hours = object->if_contains("hours");
  constexpr int kDefaultHours = 6;
  return hours == nullptr ? Result<int>(kDefaultHours) : hours_of(*hours);
}

Result<std::string> parse_reason(std::string_view body) {
  const auto object = parse_object(body, {"reason"});
  return object ? reason_of(*object) : object.status();
}

Result<ScheduleBody> parse_schedule(std::string_view body, WallTime now) {
  const auto object = parse_object(body, {"hours", "at", "after", "reason"});
  if (!object) return object.status();
  if (object->count("hours") + object->count("at") + object->count("after") != 1)
    return invalid(R"(give exactly one of 'hours', 'at' and 'after', e.g. {"after": "6h"})");
  const auto at = time_of(*object, now);
  if (!at) return at.status();
  auto reason = reason_of(*object);
  if (!reason) return reason.status();
  return ScheduleBody{*at, std::move(*reason)};
}

Result<RetryBody> parse_retry(std::string_view body) {
  const auto object = parse_object(body, {"ids", "all"});
  if (!object) return object.status();
  const json::value* all = object->if_contains("all");
  const json::value* ids = object->if_contains("ids");
  if ((all == nullptr) == (ids == nullptr)) return invalid(R"(give either {"ids": [..]} or {"all": true})");
  if (all != nullptr) {
    if (!all->is_bool() || !all->get_bool()) return invalid("key 'all' can only be true");
    return RetryBody{.all = true};
  }
  auto list = ids_of(*ids);
  if (!list) return list.status();
  return RetryBody{.ids = std::move(*list)};
}

}  // namespace fermata::rest
