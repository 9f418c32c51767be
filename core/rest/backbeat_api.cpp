#include "base/time_format.hpp"
#include "rest/api.hpp"
#include "rest/change_request.hpp"
#include "rest/errors.hpp"
#include "rest/health.hpp"
#include "rest/json_writer.hpp"
#include "rest/request_bodies.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace fermata::rest {
namespace {

using control::Change;
using control::DesiredState;
using Request = std::shared_ptr<const HttpRequest>;

HttpResponse error_of(const Status& status) {
  const int code = http_status(status.code());
  return code == 400 ? backbeat_error("MalformedPOSTRequest", 400, status.message()) : backbeat_error(code, status.message());
}

std::string status_of(const DesiredState& desired) { return desired.paused ? "disabled" : "enabled"; }
std::string schedule_of(const DesiredState& desired) { return desired.scheduled_resume ? format_iso(*desired.scheduled_resume) : "none"; }

/// Backbeat's routes. Threads: [any]; owned by the routes that refer to it.
class BackbeatApi {
 public:
  explicit BackbeatApi(ApiDependencies dependencies) : deps_(dependencies) {}

  void status(const Request&, const RouteMatch& match, const Respond& respond) {
    if (location_of(match) != "all") return show(match, status_of, respond);
    respond(all_statuses(match.params[0]));
  }

  void schedule(const Request&, const RouteMatch& match, const Respond& respond) { show(match, schedule_of, respond); }

  void pause(const Request& request, const RouteMatch& match, const Respond& respond) {
    change(request, match, Change::Kind::kPause, std::nullopt, respond);
  }
  void resume(const Request& request, const RouteMatch& match, const Respond& respond) {
    change(request, match, Change::Kind::kResume, std::nullopt, respond);
  }
  void unschedule(const Request& request, const RouteMatch& match, const Respond& respond) {
    change(request, match, Change::Kind::kUnschedule, std::nullopt, respond);
  }
  void set_schedule(const Request& request, const RouteMatch& match, const Respond& respond) {
    if (const Status known = check_target(deps_.control, match.params[0], location_of(match)); !known) return respond(error_of(known));
    const auto hours = parse_backbeat_hours(request->body);
    if (!hours) return respond(error_of(hours.status()));
    change(request, match, Change::Kind::kSchedule, deps_.clock.now() + std::chrono::hours(*hours), respond);
  }

  void healthcheck(const Request&, const RouteMatch&, const Respond& respond) {
    deps_.executor.post([deps = deps_, respond] { respond({.body = health_json(deps)}); });
  }
  void metrics(const Request&, const RouteMatch&, const Respond& respond) {
    respond({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = deps_.metrics.text()});
  }

 private:
  using Describe = std::string (*)(const DesiredState&);

  static std::string location_of(const RouteMatch& match) { return match.params.size() < 2 ? "all" : match.params[1]; }

  void show(const RouteMatch& match, Describe describe, const Respond& respond) const {
    const std::string& service = match.params[0];
    const std::string location = location_of(match);
    JsonWriter json;
    json.begin_object();
    Status found = check_target(deps_.control, service, location);
    if (found) found = deps_.control.desired_known(service);
    if (found && location == "all") {
      found = deps_.control.visit_desired(
          service, [&](std::string_view name, const DesiredState& desired) { json.member(name, describe(desired)); });
    } else if (found) {
      const auto view = deps_.control.location(service, location);
      found = view.status();
      if (view) json.member(location, describe(view->desired));
    }
    json.end_object();
    respond(found ? HttpResponse{.body = json.take()} : error_of(found));
  }

  /// From the cache, unless a desired state has changed since.
  HttpResponse all_statuses(const std::string& service) {
    const std::uint64_t revision = deps_.control.desired_revision(service);
    if (revision == 0) return error_of(check_target(deps_.control, service, "all"));
    {
      const std::lock_guard lock(mutex_);
      const auto cached = statuses_.find(service);
      if (cached != statuses_.end() && cached->second.first == revision) return {.body = cached->second.second};
    }
    JsonWriter json;
    json.begin_object();
    Status found = deps_.control.desired_known(service);
    if (!found) return error_of(found);
    found = deps_.control.visit_desired(
        service, [&](std::string_view name, const DesiredState& desired) { json.member(name, desired.paused ? "disabled" : "enabled"); });
    if (!found) return error_of(found);
    std::string body = json.end_object().take();
    const std::lock_guard lock(mutex_);
    statuses_[service] = {revision, body};
    return {.body = std::move(body)};
  }

  void change(const Request& request, const RouteMatch& match, Change::Kind kind, std::optional<WallTime> at,
              const Respond& respond) const {
    Change change{.kind = kind, .service = match.params[0], .location = location_of(match), .at = at, .by = asked_by(*request)};
    Status ready = check_target(deps_.control, change.service, change.location);
    if (ready) ready = deps_.control.writable();
    if (!ready) return respond(error_of(ready));
    deps_.control.change(std::move(change), [respond](Result<std::vector<control::Changed>> changed) {
      respond(changed ? HttpResponse{.body = "{}"} : error_of(changed.status()));
    });
  }

  const ApiDependencies deps_;
  std::mutex mutex_;                                                       // guards statuses_
  std::map<std::string, std::pair<std::uint64_t, std::string>> statuses_;  // by service: revision and body; as many as services
};

}  // namespace

void add_backbeat_routes(Router& router, ApiDependencies dependencies) {
  const auto api = std::make_shared<BackbeatApi>(dependencies);
  const auto add = [&](std::string_view method, const std::string& pattern,
                       void (BackbeatApi::*handler)(const Request&, const RouteMatch&, const Respond&)) {
    for (const std::string prefix : {"/_/backbeat/api/", "/_/"})
      router.route(method, prefix + pattern, [api, handler](const Request& request, const RouteMatch& match, const Respond& respond) {
        ((*api).*handler)(request, match, respond);
      });
  };
  add("GET", "healthcheck", &BackbeatApi::healthcheck);
  add("GET", "monitoring/metrics", &BackbeatApi::metrics);
  for (const std::string location : {"", "/{location}"}) {
    add("GET", "{service}/status" + location, &BackbeatApi::status);
    add("POST", "{service}/pause" + location, &BackbeatApi::pause);
    add("POST", "{service}/resume" + location, &BackbeatApi::resume);
    for (const std::string schedule : {"", "/schedule"}) {
      add("GET", "{service}/resume" + location + schedule, &BackbeatApi::schedule);
      add("DELETE", "{service}/resume" + location + schedule, &BackbeatApi::unschedule);
    }
  }
  add("POST", "{service}/resume/{location}/schedule", &BackbeatApi::set_schedule);
}

}  // namespace fermata::rest
