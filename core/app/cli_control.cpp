#include "app/cli_commands.hpp"
#include "app/cli_output.hpp"
#include "base/percent.hpp"
#include "base/units.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <ostream>

namespace fermata::app {
namespace {

namespace json = boost::json;

std::string name_of(const std::string& service, const std::string& location) {
  return service + "/" + (location == "all" ? "(all locations)" : location);
}

void print_waiting(const ApiClient& api, const json::value& answer) {
  api.world().err << "fermata: not converged in time; the change stands, and these are still on their way:\n";
  Table table({"NODE", "LOCATION", "STATE", "IN FLIGHT"});
  for (const auto& one : list_at(answer, "waiting"))
    table.add({text_at(one, {"node"}), text_at(one, {"location"}), text_at(one, {"state"}), text_at(one, {"inFlight"})});
  table.print(api.world().err, "  ");
}

bool is_changed(const json::value& answer) {
  return std::ranges::any_of(list_at(answer, "locations"), [](const json::value& one) { return text_at(one, {"changed"}) == "true"; });
}

/// Prints the answer of a change; kExitFailed if it says that it has not converged.
int report_change(const ApiClient& api, const std::string& body, std::string sentence) {
  const auto answer = parse_or_null(body);
  const bool late = text_at(answer, {"converged"}) == "false";
  if (!is_changed(answer)) sentence += " (it was asked for already)";
  if (api.options().json)
    api.world().out << body << '\n';
  else if (late)
    print_waiting(api, answer);
  else if (!api.options().quiet)
    api.world().out << printable(sentence) << '\n';
  return late ? kExitFailed : kExitOk;
}

int hold(const ApiClient& api, const HoldOptions& options, std::string_view verb, std::string_view done, std::string_view asked) {
  std::string target = location_path(options.service, options.location, "/" + std::string(verb));
  std::chrono::milliseconds wait{0};
  if (options.wait) {
    target += "?wait=" + percent_encode(*options.wait);
    wait = parse_duration(*options.wait).value_or(wait);
  }
  const std::string body = options.reason.empty() ? "" : json::serialize(json::value{{"reason", options.reason}});
  const auto answer = api.call("POST", target, body, wait);
  if (!answer) return api.fail(answer.status());
  return report_change(api, *answer, name_of(options.service, options.location) + ": " + std::string(options.wait ? done : asked));
}

std::string schedule_body(const ScheduleOptions& options) {
  if (options.hours) return json::serialize(json::value{{"hours", *options.hours}});
  return json::serialize(options.at ? json::value{{"at", *options.at}} : json::value{{"after", *options.after}});
}

/// "2026-11-22T08:35:12.830Z", when the answer names one.
std::string scheduled_date(const std::string& body) {
  const auto answer = parse_or_null(body);
  for (const auto& location : list_at(answer, "locations"))
    if (auto date = text_at(location, {"desired", "scheduledResume"}); !date.empty()) return date;
  return "";
}

}  // namespace

int pause_location(const ApiClient& api, const HoldOptions& options) {
  return hold(api, options, "pause", "paused, nothing is in flight", "pausing; `fermata status` shows when nothing is in flight any more");
}

int resume_location(const ApiClient& api, const HoldOptions& options) { return hold(api, options, "resume", "resumed", "resuming"); }

int schedule_resume(const ApiClient& api, const ScheduleOptions& options) {
  const auto answer = api.call("PUT", location_path(options.service, options.location, "/schedule"), schedule_body(options));
  if (!answer) return api.fail(answer.status());
  const auto date = scheduled_date(*answer);
  return report_change(api, *answer,
                       name_of(options.service, options.location) + ": resumes " + (date.empty() ? "as scheduled" : "at " + date));
}

int unschedule_resume(const ApiClient& api, const std::string& service, const std::string& location) {
  const auto answer = api.call("DELETE", location_path(service, location, "/schedule"));
  if (!answer) return api.fail(answer.status());
  return report_change(api, *answer, name_of(service, location) + ": no scheduled resume any more");
}

int list_failed(const ApiClient& api, const std::string& service, const std::string& location) {
  const auto answer = api.list(location_path(service, location, "/failed?limit=1000"), "records", "after");
  if (!answer) return api.fail(answer.status());
  if (api.options().json) {
    api.world().out << json::serialize(*answer) << '\n';
    return kExitOk;
  }
  Table table({"ID", "KEY", "FAILED AT", "ATTEMPTS", "REASON"});
  for (const auto& record : list_at(*answer, "records"))
    table.add({text_at(record, {"id"}), text_at(record, {"key"}), text_at(record, {"failedAt"}), text_at(record, {"attempts"}),
               text_at(record, {"reason"})});
  table.print(api.world().out);
  return kExitOk;
}

int retry_failed(const ApiClient& api, const std::string& service, const std::string& location, const std::vector<std::string>& ids) {
  const json::value body = ids.empty() ? json::value{{"all", true}} : json::value{{"ids", json::array(ids.begin(), ids.end())}};
  std::int64_t retried = 0;
  for (bool more = true; more;) {  // the daemon retries as many as it can within its time, and says whether there are more
    const auto answer = api.call("POST", location_path(service, location, "/failed/retry"), json::serialize(body));
    if (!answer) return api.fail(answer.status());
    const auto value = parse_or_null(*answer);
    retried += number_at(value, "retried");
    more = text_at(value, {"more"}) == "true" && number_at(value, "retried") > 0;
  }
  const bool none_there = retried == 0 && !ids.empty();
  if (api.options().json)
    api.world().out << json::serialize(json::value{{"retried", retried}}) << '\n';
  else if (none_there)
    return api.fail({Code::kNotFound, name_of(service, location) + ": no failed record has such an id; `fermata failed " + service + " " +
                                          location + "` lists those that there are"});
  else if (!api.options().quiet)
    api.world().out << printable(name_of(service, location)) << ": " << retried << " failed records queued again\n";
  return none_there ? kExitNotFound : kExitOk;
}

}  // namespace fermata::app
