#include "routes/object_routes.hpp"

#include "text/problem.hpp"
#include "text/query.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <memory>

namespace fermata::crr {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kMaxLimit = 1'000;
/// Objects that one listing looks at, matching or not.
constexpr std::size_t kMaxExamined = 2'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

/// A record that is newer than the state has not been worked on yet.
ObjectState::Status effective_status(const std::optional<JournaledObject>& object, const std::optional<ObjectState>& state) {
  if (!state || (object && state->version < object->version)) return ObjectState::Status::kPending;
  return state->status;
}

json::object location_json(const std::string& location, const std::optional<JournaledObject>& object,
                           const std::optional<ObjectState>& state) {
  json::object out{{"location", location}, {"status", to_string(effective_status(object, state))}};
  if (!state) return out;
  out["attempts"] = state->attempts;
  out["updatedAt"] = text::format_iso_ns(state->updated_ms * kNsPerMs);
  if (state->completed_ms != 0) {
    out["completedAt"] = text::format_iso_ns(state->completed_ms * kNsPerMs);
    out["bytes"] = state->bytes;
    out["etag"] = state->etag;
  }
  if (!state->version_id.empty()) out["versionId"] = state->version_id;
  if (state->deleted) out["deleted"] = true;
  if (!state->reason.empty()) out["reason"] = state->reason;
  json::array left_out;
  for (const auto& [version, why] : state->left_out) left_out.push_back(json::object{{"versionId", version}, {"reason", why}});
  if (!left_out.empty()) out["leftOut"] = std::move(left_out);
  return out;
}

/// One object's facts and its standing at each location, and whether any of them has `wanted` (or any at all).
struct Described {
  json::object json;
  bool known = false;
  bool matches = false;
};

Result<Described> describe(const ObjectStates& states, const std::vector<std::string>& locations, const ObjectId& id,
                           const std::optional<JournaledObject>& object, const std::optional<ObjectState::Status>& wanted) {
  Described out{{{"bucket", id.bucket}, {"key", id.key}}, object.has_value()};
  if (object) {
    out.json["size"] = object->size;
    out.json["lastModified"] = text::format_iso_ns(object->mtime_ns);
  }
  json::array list;
  for (const auto& location : locations) {
    const auto state = states.get(id, location);
    if (!state) return state.status();
    out.known = out.known || state->has_value();
    out.matches = out.matches || !wanted || *wanted == effective_status(object, *state);
    list.push_back(location_json(location, object, *state));
  }
  out.json["locations"] = std::move(list);
  return out;
}

}  // namespace

ObjectRoutes::ObjectRoutes(sdk::Host& host, std::vector<std::string> locations)
    : host_(host), locations_(std::move(locations)), index_(host), states_(host) {}

Status ObjectRoutes::add() {
  // The store may block: answers are made by a task, not in the handler.
  const auto later = [this](auto make, std::string argument, sdk::Exchange exchange) {
    host_.post([make, argument = std::move(argument), open = std::make_shared<sdk::Exchange>(std::move(exchange))] {
      const Answer answer = make(argument);
      open->respond(answer.status, answer.status < 400 ? "application/json" : "application/problem+json", answer.body);
    });
  };
  if (auto status = host_.add_route("GET", "objects/*",
                                    [this, later](const sdk::HttpRequest& request, sdk::Exchange exchange) {
                                      later([this](const std::string& path) { return show(path); }, std::string(request.rest),
                                            std::move(exchange));
                                    });
      !status)
    return status;
  return host_.add_route("GET", "objects", [this, later](const sdk::HttpRequest& request, sdk::Exchange exchange) {
    later([this](const std::string& query) { return list(query); }, std::string(request.query), std::move(exchange));
  });
}

ObjectRoutes::Answer ObjectRoutes::show(const std::string& path) const {
  const auto id = parse_object_path(path);
  if (!id) return {400, text::problem_body(400, id.status().message())};
  const auto object = index_.get(path);
  if (!object) return {503, text::problem_body(503, object.status().message())};
  const auto described = describe(states_, locations_, *id, *object, std::nullopt);
  if (!described) return {503, text::problem_body(503, described.status().message())};
  if (!described->known)
    return {404, text::problem_body(404, "no object " + path + " is known: it is not at the source, or was not journaled yet")};
  return {200, json::serialize(described->json)};
}

ObjectRoutes::Answer ObjectRoutes::list(const std::string& raw_query) const {
  const auto query = read_query(raw_query);
  if (!query) return {400, text::problem_body(400, query.status().message())};
  json::array objects;
  std::string after = query->after;
  bool more = true;
  for (std::size_t examined = 0; more && examined < kMaxExamined && objects.size() < query->limit;) {
    const auto page = index_.scan(query->prefix, after, query->limit);
    if (!page) return {503, text::problem_body(503, page.status().message())};
    more = page->size() == query->limit;
    for (const auto& [path, object] : *page) {
      if (objects.size() == query->limit) {
        more = true;
        break;
      }
      after = path;
      ++examined;
      const auto id = parse_object_path(path);
      if (!id) continue;
      auto described = describe(states_, locations_, *id, object, query->status);
      if (!described) return {503, text::problem_body(503, described.status().message())};
      if (described->matches) objects.push_back(std::move(described->json));
    }
  }
  json::object body{{"objects", std::move(objects)}};
  if (more) body["next"] = after;
  return {200, json::serialize(body)};
}

Result<ObjectRoutes::Query> ObjectRoutes::read_query(std::string_view query) {
  const auto values = text::parse_query(query, {"prefix", "status", "limit", "after"});
  if (!values) return values.status();
  Query out;
  for (const auto& [name, value] : *values) {
    if (name == "prefix") out.prefix = value;
    if (name == "after") out.after = value;
    if (name == "status") {
      out.status = parse_object_status(value);
      if (!out.status) return Status(Code::kInvalidArgument, "status: must be PENDING, COMPLETED, FAILED or SKIPPED");
    }
    if (name == "limit") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out.limit);
      if (error != std::errc() || end != value.data() + value.size() || out.limit < 1 || out.limit > kMaxLimit)
        return Status(Code::kInvalidArgument, "limit: must be a number from 1 to 1000");
    }
  }
  return out;
}

}  // namespace fermata::crr
