#include "replication/object_states.hpp"

#include <boost/json.hpp>

#include <exception>

namespace fermata::crr {
namespace {

namespace json = boost::json;

std::string key_of(const ObjectId& id, std::string_view location) {
  std::string key = "object/" + id.path();
  key += '\0';
  key += location;
  return key;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

void add_pairs(json::object& out, std::string_view name, const Pairs& pairs) {
  json::array list;
  for (const auto& [first, second] : pairs) list.push_back(json::array{first, second});
  if (!list.empty()) out[name] = std::move(list);
}

Pairs pairs_in(const json::object& fields, std::string_view name) {
  Pairs out;
  if (const auto* list = fields.if_contains(name))
    for (const auto& pair : list->as_array()) out.emplace_back(pair.as_array().at(0).as_string(), pair.as_array().at(1).as_string());
  return out;
}

std::string format(const ObjectState& state) {
  json::object out{{"status", to_string(state.status)},
                   {"version", state.version},
                   {"attempts", state.attempts},
                   {"updatedMs", state.updated_ms},
                   {"completedMs", state.completed_ms},
                   {"bytes", state.bytes},
                   {"etag", state.etag},
                   {"fingerprint", state.fingerprint},
                   {"reason", state.reason}};
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  add("failedId", state.failed_id);
  add("versionId", state.version_id);
  add("failedVersion", state.failed_version);
  if (state.deleted) out["deleted"] = true;
  if (state.unsure) out["unsure"] = true;
  add_pairs(out, "markers", state.markers);
  add_pairs(out, "leftOut", state.left_out);
  return json::serialize(out);
}

/// What only sources with versions have, and what older versions of this plugin did not write.
void read_optional(const json::object& fields, ObjectState& state) {
  const auto text_of = [&fields](std::string_view name) {
    const auto* value = fields.if_contains(name);
    return value == nullptr ? std::string() : std::string(value->as_string());
  };
  state.failed_id = text_of("failedId");
  state.version_id = text_of("versionId");
  state.failed_version = text_of("failedVersion");
  state.deleted = fields.contains("deleted");
  state.unsure = fields.contains("unsure");
  state.markers = pairs_in(fields, "markers");
  state.left_out = pairs_in(fields, "leftOut");
}

std::optional<ObjectState> parse(std::string_view text) {
  try {
    const auto value = json::parse(text);
    const auto& fields = value.as_object();
    const auto text_of = [&fields](std::string_view name) { return std::string(fields.at(name).as_string()); };
    const auto status = parse_object_status(text_of("status"));
    if (!status) return std::nullopt;
    ObjectState state{*status,
                      fields.at("version").to_number<std::uint64_t>(),
                      fields.at("attempts").to_number<std::uint32_t>(),
                      fields.at("updatedMs").to_number<std::int64_t>(),
                      fields.at("completedMs").to_number<std::int64_t>(),
                      fields.at("bytes").to_number<std::uint64_t>(),
                      text_of("etag"),
                      text_of("fingerprint"),
                      text_of("reason")};
    read_optional(fields, state);
    return state;
  } catch (const std::exception&) {
    return std::nullopt;  // written by something else: as good as none
  }
}

}  // namespace

std::string_view to_string(ObjectState::Status status) {
  switch (status) {
    case ObjectState::Status::kPending: return "PENDING";
    case ObjectState::Status::kCompleted: return "COMPLETED";
    case ObjectState::Status::kFailed: return "FAILED";
    case ObjectState::Status::kSkipped: return "SKIPPED";
  }
  return "PENDING";
}

std::optional<ObjectState::Status> parse_object_status(std::string_view text) {
  for (const auto status :
       {ObjectState::Status::kPending, ObjectState::Status::kCompleted, ObjectState::Status::kFailed, ObjectState::Status::kSkipped})
    if (text == to_string(status)) return status;
  return std::nullopt;
}

Status ObjectStates::put(const ObjectId& id, std::string_view location, const ObjectState& state) const {
  return host_.kv_put(key_of(id, location), format(state));
}

Status ObjectStates::remove(const ObjectId& id, std::string_view location) const { return host_.kv_remove(key_of(id, location)); }

Result<std::optional<ObjectState>> ObjectStates::get(const ObjectId& id, std::string_view location) const {
  const auto value = host_.kv_get(key_of(id, location));
  if (!value) return value.status();
  return *value ? parse(**value) : std::optional<ObjectState>();
}

}  // namespace fermata::crr
