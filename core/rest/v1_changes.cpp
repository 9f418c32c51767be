#include "rest/change_request.hpp"
#include "rest/query.hpp"
#include "rest/request_bodies.hpp"
#include "rest/v1_api.hpp"
#include "rest/v1_json.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace fermata::rest {
namespace {

using control::Change;
using control::Changed;
using control::LocationView;
using control::ObservedState;

constexpr std::size_t kMaxWaiting = 1'000;

bool is_as_desired(bool paused, ObservedState state) {
  if (paused) return state == ObservedState::kPaused;
  return state == ObservedState::kRunning || state == ObservedState::kDegraded;
}

/// The nodes that a location still waits for; all of them if each claims to be there but has not heard of the change.
void write_waiting(JsonWriter& json, const LocationView& view, std::size_t& count) {
  const bool paused = view.desired.paused;
  if (is_as_desired(paused, view.state)) return;
  const bool told = std::ranges::any_of(view.nodes, [&](const auto& node) { return !is_as_desired(paused, node.observation.state); });
  for (const auto& node : view.nodes) {
    if ((told && is_as_desired(paused, node.observation.state)) || count == kMaxWaiting) continue;
    ++count;
    json.begin_object().member("node", node.node).member("location", view.name);
    json.member("state", to_string(node.observation.state)).member("inFlight", node.observation.in_flight).end_object();
  }
}

std::string changed_json(const std::vector<Changed>& changed) {
  JsonWriter json;
  json.begin_array();
  for (const auto& one : changed) write_changed(json, one);
  return json.end_array().take();
}

HttpResponse converged_response(const ApiDependencies& deps, const Change& change, std::string_view locations_json, bool converged) {
  JsonWriter json;
  json.begin_object().key("locations").raw(locations_json).member("converged", converged).key("waiting").begin_array();
  std::size_t count = 0;
  if (!converged && change.location == "all") {
    const Status seen = deps.control.visit(change.service, [&](const LocationView& view) { write_waiting(json, view, count); });
    if (!seen) return problem(seen, {});
  } else if (!converged) {
    if (const auto view = deps.control.location(change.service, change.location)) write_waiting(json, *view, count);
  }
  return {.body = json.end_array().end_object().take()};
}

/// Nothing was paused, so there is nothing to resume later.
bool none_paused(const std::vector<Changed>& changed) {
  return std::ranges::none_of(changed, [](const Changed& one) { return one.desired.paused; });
}

using Wait = std::optional<std::chrono::milliseconds>;

void answer_changed(const ApiDependencies& deps, const Change& change, Wait wait, const std::string& path,
                    const std::vector<Changed>& changed, const Respond& respond) {
  if (change.kind == Change::Kind::kSchedule && none_paused(changed))
    return respond(problem(
        409,
        "location '" + change.location + "' of '" + change.service + "' is not paused, so there is no resume to schedule; pause it first",
        path));
  std::string locations = changed_json(changed);
  if (!wait) return respond({.body = "{\"locations\":" + locations + "}"});
  deps.control.wait_converged(change.service, change.location, *wait,
                              [deps, change, respond, locations = std::move(locations)](bool converged) {
                                respond(converged_response(deps, change, locations, converged));
                              });
}

void apply(const ApiDependencies& deps, const Request& request, Change change, Wait wait, const Respond& respond) {
  if (const Status writable = deps.control.writable(); !writable) return respond(problem(writable, request->path));
  change.by = asked_by(*request);
  deps.control.change(change, [deps, change, wait, request, respond](Result<std::vector<Changed>> changed) {
    if (!changed) return respond(problem(changed.status(), request->path));
    answer_changed(deps, change, wait, request->path, *changed, respond);
  });
}

/// What every change needs first: a target that there is, and a query that we understand.
struct Asked {
  Change change;
  Wait wait;
};
Result<Asked> parse_asked(const ApiDependencies& deps, const HttpRequest& request, const RouteMatch& match, Change::Kind kind) {
  Change change{.kind = kind, .service = match.params[0], .location = match.params[1]};
  if (Status known = check_target(deps.control, change.service, change.location); !known) return known;
  const auto query = Query::parse(request.query, {"wait"});
  if (!query) return query.status();
  const auto wait = query->wait();
  if (!wait) return wait.status();
  return Asked{std::move(change), *wait};
}

void set_paused(const ApiDependencies& deps, const Request& request, const RouteMatch& match, Change::Kind kind, const Respond& respond) {
  auto asked = parse_asked(deps, *request, match, kind);
  auto reason = asked ? parse_reason(request->body) : Result<std::string>(asked.status());
  if (!reason) return respond(problem(reason.status(), request->path));
  asked->change.reason = std::move(*reason);
  apply(deps, request, std::move(asked->change), asked->wait, respond);
}

void schedule(const ApiDependencies& deps, const Request& request, const RouteMatch& match, const Respond& respond) {
  auto asked = parse_asked(deps, *request, match, Change::Kind::kSchedule);
  auto body = asked ? parse_schedule(request->body, deps.clock.now()) : Result<ScheduleBody>(asked.status());
  if (!body) return respond(problem(body.status(), request->path));
  asked->change.at = body->at;
  asked->change.reason = std::move(body->reason);
  apply(deps, request, std::move(asked->change), asked->wait, respond);
}

void unschedule(const ApiDependencies& deps, const Request& request, const RouteMatch& match, const Respond& respond) {
  auto asked = parse_asked(deps, *request, match, Change::Kind::kUnschedule);
  if (!asked) return respond(problem(asked.status(), request->path));
  apply(deps, request, std::move(asked->change), asked->wait, respond);
}

}  // namespace

void add_v1_changes(Router& router, const ApiDependencies& deps) {
  const std::string location = "/api/v1/services/{service}/locations/{location}/";
  router.route("POST", location + "pause", [deps](const Request& request, const RouteMatch& match, const Respond& respond) {
    set_paused(deps, request, match, Change::Kind::kPause, respond);
  });
  router.route("POST", location + "resume", [deps](const Request& request, const RouteMatch& match, const Respond& respond) {
    set_paused(deps, request, match, Change::Kind::kResume, respond);
  });
  router.route("PUT", location + "schedule", [deps](const Request& request, const RouteMatch& match, const Respond& respond) {
    schedule(deps, request, match, respond);
  });
  router.route("DELETE", location + "schedule", [deps](const Request& request, const RouteMatch& match, const Respond& respond) {
    unschedule(deps, request, match, respond);
  });
}

}  // namespace fermata::rest
