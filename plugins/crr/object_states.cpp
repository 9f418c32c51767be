#include "object_states.hpp"

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

std::string format(const ObjectState& state) {
  return json::serialize(json::object{{"status", to_string(state.status)},
                                      {"version", state.version},
                                      {"attempts", state.attempts},
                                      {"updatedMs", state.updated_ms},
                                      {"completedMs", state.completed_ms},
                                      {"bytes", state.bytes},
                                      {"etag", state.etag},
                                      {"fingerprint", state.fingerprint},
                                      {"reason", state.reason}});
}

std::optional<ObjectState> parse(std::string_view text) {
  try {
    const auto value = json::parse(text);
    const auto& fields = value.as_object();
    const auto text_of = [&fields](std::string_view name) { return std::string(fields.at(name).as_string()); };
    const auto status = parse_object_status(text_of("status"));
    if (!status) return std::nullopt;
    return ObjectState{*status,
                       fields.at("version").to_number<std::uint64_t>(),
                       fields.at("attempts").to_number<std::uint32_t>(),
                       fields.at("updatedMs").to_number<std::int64_t>(),
                       fields.at("completedMs").to_number<std::int64_t>(),
                       fields.at("bytes").to_number<std::uint64_t>(),
                       text_of("etag"),
                       text_of("fingerprint"),
                       text_of("reason")};
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
  }
  return "PENDING";
}

std::optional<ObjectState::Status> parse_object_status(std::string_view text) {
  for (const auto status : {ObjectState::Status::kPending, ObjectState::Status::kCompleted, ObjectState::Status::kFailed})
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
