#include "control/observed_state.hpp"

#include "base/time_format.hpp"

#include <boost/json.hpp>

namespace fermata::control {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxText = 300;
constexpr std::size_t kMaxDetails = 800;
constexpr ObservedState kStates[] = {ObservedState::kStarting, ObservedState::kRunning,  ObservedState::kPausing,
                                     ObservedState::kPaused,   ObservedState::kDegraded, ObservedState::kFailed};

std::string cut(std::string_view text) {
  std::size_t size = std::min(text.size(), kMaxText);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) --size;
  return std::string(text.substr(0, size));
}

void put_text(json::object& object, std::string_view key, std::string_view text) {
  if (!text.empty()) object[key] = text;
}

void put_count(json::object& object, std::string_view key, std::int64_t count) {
  if (count != 0) object[key] = count;
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t count_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

json::object to_json(const ObservedEntry& entry) {
  const auto& seen = entry.observation;
  json::object object{{"version", entry.heard}, {"state", to_string(seen.state)}};
  put_count(object, "inFlight", seen.in_flight);
  put_count(object, "retrying", seen.retrying);
  put_count(object, "lag", seen.lag);
  put_count(object, "processed", seen.processed);
  put_count(object, "failed", seen.failed);
  put_text(object, "message", cut(seen.message));
  put_text(object, "lastError", cut(seen.last_error));
  if (seen.last_error_at) object["lastErrorAt"] = format_iso(*seen.last_error_at);
  if (seen.details_json.size() <= kMaxDetails) put_text(object, "details", seen.details_json);
  return object;
}

ObservedEntry entry_of(const json::object& object) {
  ObservedEntry entry;
  entry.heard = count_of(object, "version");
  auto& seen = entry.observation;
  const std::string state = text_of(object, "state");
  for (const ObservedState candidate : kStates)
    if (to_string(candidate) == state) seen.state = candidate;
  seen.in_flight = count_of(object, "inFlight");
  seen.retrying = count_of(object, "retrying");
  seen.lag = count_of(object, "lag");
  seen.processed = count_of(object, "processed");
  seen.failed = count_of(object, "failed");
  seen.message = text_of(object, "message");
  seen.last_error = text_of(object, "lastError");
  seen.last_error_at = parse_rfc3339(text_of(object, "lastErrorAt"));
  seen.details_json = text_of(object, "details");
  return entry;
}

std::optional<json::object> parse_object(std::string_view data) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // a plugin's message may be anything, and must not hide its neighbours
  json::error_code error;
  json::value value = json::parse(data, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

}  // namespace

std::string format_chunk(const ObservedChunk& chunk) {
  json::object locations;
  locations.reserve(chunk.locations.size());
  for (const auto& [name, entry] : chunk.locations) locations[name] = to_json(entry);
  return json::serialize(
      json::object{{"node", chunk.node}, {"instance", chunk.instance}, {"chunks", chunk.chunks}, {"locations", std::move(locations)}});
}

std::optional<ObservedChunk> parse_chunk(std::string_view data) {
  const auto object = parse_object(data);
  if (!object) return std::nullopt;
  const auto* locations = object->if_contains("locations");
  ObservedChunk chunk{text_of(*object, "node"), text_of(*object, "instance"), static_cast<std::size_t>(count_of(*object, "chunks")), {}};
  if (chunk.node.empty() || locations == nullptr || !locations->is_object()) return std::nullopt;
  for (const auto& [name, entry] : locations->as_object())
    if (entry.is_object()) chunk.locations.emplace(name, entry_of(entry.as_object()));
  return chunk;
}

std::string format_node(const NodeEntry& entry) {
  return json::serialize(json::object{{"id", entry.view.id},
                                      {"instance", entry.instance},
                                      {"address", entry.view.address},
                                      {"version", entry.view.version},
                                      {"startedAt", format_iso(entry.view.started_at)},
                                      {"services", json::array(entry.services.begin(), entry.services.end())}});
}

std::optional<NodeEntry> parse_node(std::string_view data) {
  const auto object = parse_object(data);
  if (!object || text_of(*object, "id").empty()) return std::nullopt;
  NodeEntry entry;
  entry.instance = text_of(*object, "instance");
  entry.view = {text_of(*object, "id"), text_of(*object, "address"), text_of(*object, "version"),
                parse_rfc3339(text_of(*object, "startedAt")).value_or(WallTime()), false};
  if (const auto* services = object->if_contains("services"); services != nullptr && services->is_array())
    for (const auto& service : services->as_array())
      if (service.is_string()) entry.services.emplace_back(service.as_string());
  return entry;
}

}  // namespace fermata::control
