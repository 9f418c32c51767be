#include "rest/change_request.hpp"
#include "rest/query.hpp"
#include "rest/request_bodies.hpp"
#include "rest/v1_api.hpp"
#include "rest/v1_json.hpp"

#include <chrono>
#include <utility>
#include <vector>

namespace fermata::rest {
namespace {

using pipeline::FailedRecord;

constexpr std::size_t kDefaultFailed = 100;
constexpr std::size_t kMaxFailed = 1'000;
/// Retrying all answers within it, done or not.
constexpr std::chrono::seconds kRetryTime{20};

/// Whose records are meant; "all" are those of processors that serve every location.
std::string location_of(const RouteMatch& match) { return match.params[1] == "all" ? std::string() : match.params[1]; }

Status check_location(const ApiDependencies& deps, const RouteMatch& match) {
  return check_target(deps.control, match.params[0], match.params[1]);
}

void list_failed(const ApiDependencies& deps, const Request& request, const RouteMatch& match, const Respond& respond) {
  const Status known = check_location(deps, match);
  const auto query = known ? Query::parse(request->query, {"after", "limit"}) : Result<Query>(known);
  const auto limit = query ? query->limit(kDefaultFailed, kMaxFailed) : Result<std::size_t>(query.status());
  if (!limit) return respond(problem(limit.status(), request->path));
  deps.executor.post([deps, request, match, respond, after = query->text("after"), limit = *limit] {
    const auto records = deps.host.failed(match.params[0], location_of(match), after, limit);
    if (!records) return respond(problem(records.status(), request->path));
    JsonWriter json;
    json.begin_object().key("records").begin_array();
    for (const auto& record : *records) write_failed(json, record);
    json.end_array().text_or_null("next", records->size() == limit ? records->back().id : std::string()).end_object();
    respond({.body = json.take()});
  });
}

HttpResponse retried_response(std::size_t retried, bool more) {
  JsonWriter json;
  json.begin_object().member("retried", retried).member("more", more).end_object();
  return {.body = json.take()};
}

/// Retries a location's failed records page by page, each a task of its own, so that others get their turn.
struct RetryAll {
  ApiDependencies deps;
  Request request;
  RouteMatch match;
  Respond respond;
  SteadyTime deadline;
  std::size_t retried = 0;
  std::string after = {};

  static void run(std::shared_ptr<RetryAll> self) {
    const auto page = self->deps.host.failed(self->match.params[0], location_of(self->match), self->after, kMaxFailed);
    if (!page) return self->respond(problem(page.status(), self->request->path));
    if (page->empty()) return self->respond(retried_response(self->retried, false));
    std::vector<std::string> ids;
    for (const auto& record : *page) ids.push_back(record.id);
    self->after = ids.back();
    const auto retried = self->deps.host.retry_failed(self->match.params[0], location_of(self->match), ids);
    if (!retried) return self->respond(problem(retried.status(), self->request->path));
    self->retried += *retried;
    if (self->deps.clock.steady() >= self->deadline) return self->respond(retried_response(self->retried, true));
    Executor& executor = self->deps.executor;
    executor.post([self = std::move(self)] { run(self); });
  }
};

void retry_failed(const ApiDependencies& deps, const Request& request, const RouteMatch& match, const Respond& respond) {
  const Status known = check_location(deps, match);
  const auto body = known ? parse_retry(request->body) : Result<RetryBody>(known);
  if (!body) return respond(problem(body.status(), request->path));
  if (body->all) {
    auto all = std::make_shared<RetryAll>(RetryAll{deps, request, match, respond, deps.clock.steady() + kRetryTime});
    return deps.executor.post([all] { RetryAll::run(all); });
  }
  deps.executor.post([deps, request, match, respond, ids = body->ids] {
    const auto retried = deps.host.retry_failed(match.params[0], location_of(match), ids);
    respond(retried ? retried_response(*retried, false) : problem(retried.status(), request->path));
  });
}

}  // namespace

void add_v1_failed(Router& router, const ApiDependencies& deps) {
  const std::string failed = "/api/v1/services/{service}/locations/{location}/failed";
  router.route("GET", failed, [deps](const Request& request, const RouteMatch& match, const Respond& respond) {
    list_failed(deps, request, match, respond);
  });
  router.route("POST", failed + "/retry", [deps](const Request& request, const RouteMatch& match, const Respond& respond) {
    retry_failed(deps, request, match, respond);
  });
}

}  // namespace fermata::rest
