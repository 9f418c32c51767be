#include "rest/change_request.hpp"
#include "rest/query.hpp"
#include "rest/v1_api.hpp"
#include "rest/v1_json.hpp"

#include <fermata/abi/base.h>

#include <array>
#include <map>
#include <optional>
#include <utility>

namespace fermata::rest {
namespace {

using control::LocationView;
using control::ObservedState;

constexpr std::size_t kDefaultLocations = 1'000;
constexpr std::size_t kMaxLocations = 10'000;
constexpr std::size_t kDefaultAudit = 100;
constexpr std::size_t kMaxAudit = 1'000;

std::optional<ObservedState> parse_state(std::string_view text) {
  for (const auto state : {ObservedState::kStarting, ObservedState::kRunning, ObservedState::kPausing, ObservedState::kPaused,
                           ObservedState::kDegraded, ObservedState::kFailed})
    if (text == to_string(state)) return state;
  return std::nullopt;
}

struct Page {
  std::optional<ObservedState> state;
  std::string after;
  std::size_t limit = kDefaultLocations;
};

Result<Page> parse_page(std::string_view raw) {
  const auto query = Query::parse(raw, {"state", "limit", "after"});
  if (!query) return query.status();
  const auto limit = query->limit(kDefaultLocations, kMaxLocations);
  if (!limit) return limit.status();
  Page page{.state = {}, .after = query->text("after"), .limit = *limit};
  const std::string state = query->text("state");
  if (!state.empty()) page.state = parse_state(state);
  if (!state.empty() && !page.state)
    return Status(Code::kInvalidArgument, "parameter 'state' must be starting, running, pausing, paused, degraded or failed");
  return page;
}

/// Writes a page of locations as they are visited.
class PageWriter {
 public:
  explicit PageWriter(Page page) : page_(std::move(page)), begun_(page_.after.empty()) {
    json_.begin_object().key("locations").begin_array();
  }

  void visit(const LocationView& view) {
    if (!begun_) {
      begun_ = view.name == page_.after;
      return;
    }
    if (page_.state && view.state != *page_.state) return;
    if (count_ == page_.limit) {
      next_ = last_;
      return;
    }
    write_location(json_, view);
    last_ = view.name;
    ++count_;
  }

  Result<std::string> finish() {
    if (!begun_) return Status(Code::kInvalidArgument, "parameter 'after': there is no location '" + page_.after + "'");
    return json_.end_array().text_or_null("next", next_).end_object().take();
  }

 private:
  Page page_;
  bool begun_;
  std::size_t count_ = 0;
  std::string last_;
  std::string next_;
  JsonWriter json_;
};

HttpResponse list_locations(const ApiDependencies& deps, const HttpRequest& request, const std::string& service) {
  if (const Status known = check_target(deps.control, service, "all"); !known) return problem(known, request.path);
  auto page = parse_page(request.query);
  if (!page) return problem(page.status(), request.path);
  PageWriter writer(std::move(*page));
  if (const Status found = deps.control.visit(service, [&](const LocationView& view) { writer.visit(view); }); !found)
    return problem(found, request.path);
  auto body = writer.finish();
  return body ? HttpResponse{.body = std::move(*body)} : problem(body.status(), request.path);
}

HttpResponse show_location(const ApiDependencies& deps, const HttpRequest& request, const RouteMatch& match) {
  const auto view = deps.control.location(match.params[0], match.params[1]);
  if (!view) {
    const Status known = check_target(deps.control, match.params[0], match.params[1]);
    return problem(known ? view.status() : known, request.path);
  }
  JsonWriter json;
  write_location(json, *view);
  return {.body = json.take()};
}

void write_service(JsonWriter& json, const control::ControlPlane& control, const std::string& name) {
  std::size_t locations = 0;
  std::size_t paused = 0;
  std::size_t scheduled = 0;
  const Status counted = control.visit_desired(name, [&](std::string_view, const control::DesiredState& desired) {
    ++locations;
    paused += desired.paused ? 1u : 0u;
    scheduled += desired.scheduled_resume ? 1u : 0u;
  });
  if (!counted) return;  // removed in the meantime
  json.begin_object().member("name", name).member("locations", locations).member("paused", paused).member("scheduled", scheduled);
  json.end_object();
}

HttpResponse list_services(const ApiDependencies& deps) {
  JsonWriter json;
  json.begin_object().key("services").begin_array();
  for (const auto& name : deps.control.services()) write_service(json, deps.control, name);
  json.end_array().end_object();
  return {.body = json.take()};
}

HttpResponse show_service(const ApiDependencies& deps, const HttpRequest& request, const std::string& name) {
  std::map<std::string_view, std::size_t> states;
  const Status found = deps.control.visit(name, [&](const LocationView& view) { ++states[to_string(view.state)]; });
  const auto spec = deps.control.service(name);
  if (!found || !spec) return problem(check_target(deps.control, name, "all"), request.path);
  JsonWriter json;
  json.begin_object().member("name", name).member("stateName", spec->state_name).member("topic", spec->topic);
  json.member("pausedAtFirst", spec->paused_at_first).member("locations", spec->locations.size()).key("states").begin_object();
  for (const auto& [state, count] : states) json.member(state, count);
  json.end_object().end_object();
  return {.body = json.take()};
}

HttpResponse list_plugins(const ApiDependencies& deps) {
  JsonWriter json;
  json.begin_object().key("plugins").begin_array();
  for (const auto& plugin : deps.host.plugins()) write_plugin(json, plugin);
  return {.body = json.end_array().end_object().take()};
}

HttpResponse list_nodes(const ApiDependencies& deps) {
  JsonWriter json;
  json.begin_object().key("nodes").begin_array();
  for (const auto& node : deps.control.nodes()) write_node(json, node);
  return {.body = json.end_array().end_object().take()};
}

void list_audit(const ApiDependencies& deps, const Request& request, const Respond& respond) {
  const auto query = Query::parse(request->query, {"before", "limit"});
  const auto limit = query ? query->limit(kDefaultAudit, kMaxAudit) : Result<std::size_t>(query.status());
  if (!limit) return respond(problem(limit.status(), request->path));
  deps.control.audit(query->text("before"), *limit, [request, respond, limit = *limit](auto entries) {
    if (!entries) return respond(problem(entries.status(), request->path));
    JsonWriter json;
    json.begin_object().key("entries").begin_array();
    for (const auto& [id, entry] : *entries) write_audit(json, id, entry);
    json.end_array().text_or_null("next", entries->size() == limit ? entries->back().first : std::string()).end_object();
    respond({.body = json.take()});
  });
}

HttpResponse show_version(const ApiDependencies& deps) {
  JsonWriter json;
  json.begin_object().member("name", "fermata");
  for (const auto& node : deps.control.nodes())
    if (node.self) json.member("version", node.version).member("node", node.id);
  json.member("abi", std::to_string(FERMATA_ABI_MAJOR) + "." + std::to_string(FERMATA_ABI_MINOR));
  return {.body = json.end_object().take()};
}

HttpResponse show_readiness(const ApiDependencies& deps) {
  const auto reasons = deps.host.not_ready();
  if (reasons.empty()) return {.body = R"({"status":"ready"})"};
  JsonWriter json;
  json.begin_object().member("type", "about:blank").member("title", "Not ready").member("status", 503).member("instance", "/readyz");
  std::string detail;
  for (const auto& reason : reasons) detail.append(detail.empty() ? "" : "; ").append(reason);
  json.member("detail", detail).key("reasons").begin_array();
  for (const auto& reason : reasons) json.value(reason);
  return {.status = 503, .content_type = "application/problem+json", .body = json.end_array().end_object().take()};
}

}  // namespace

void add_v1_reads(Router& router, const ApiDependencies& deps) {
  const auto get = [&](std::string_view pattern, auto answer) {
    router.route("GET", pattern, [deps, answer](const Request& request, const RouteMatch& match, const Respond& respond) {
      respond(answer(deps, *request, match));
    });
  };
  using Deps = const ApiDependencies&;
  using Http = const HttpRequest&;
  using Match = const RouteMatch&;
  get("/api/v1/services", [](Deps d, Http, Match) { return list_services(d); });
  get("/api/v1/services/{service}", [](Deps d, Http request, Match match) { return show_service(d, request, match.params[0]); });
  get("/api/v1/services/{service}/locations",
      [](Deps d, Http request, Match match) { return list_locations(d, request, match.params[0]); });
  get("/api/v1/services/{service}/locations/{location}", show_location);
  get("/api/v1/plugins", [](Deps d, Http, Match) { return list_plugins(d); });
  get("/api/v1/nodes", [](Deps d, Http, Match) { return list_nodes(d); });
  get("/api/v1/version", [](Deps d, Http, Match) { return show_version(d); });
  get("/livez", [](Deps, Http, Match) { return HttpResponse{.body = R"({"status":"ok"})"}; });
  get("/readyz", [](Deps d, Http, Match) { return show_readiness(d); });
  get("/openapi.json", [](Deps, Http, Match) { return HttpResponse{.body = std::string(openapi_json())}; });
  router.route("GET", "/api/v1/audit",
               [deps](const Request& request, const RouteMatch&, const Respond& respond) { list_audit(deps, request, respond); });
}

}  // namespace fermata::rest
