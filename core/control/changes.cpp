#include "control/changes.hpp"

#include "base/time_format.hpp"
#include "control/hints.hpp"
#include "control/transitions.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

namespace fermata::control {
namespace {

Status check_health(std::string_view name, const Health& health) {
  if (health.ok) return Status::ok();
  const std::string since = health.since == WallTime() ? std::string() : " since " + format_iso(health.since);
  return {Code::kUnavailable, fmt::format("{} not usable{}: {}; nothing was changed", name, since, health.reason)};
}

std::vector<std::string_view> names_of(const std::vector<std::shared_ptr<Service>>& services) {
  std::vector<std::string_view> names;
  for (const auto& service : services) names.emplace_back(service->spec.name);
  return names;
}

}  // namespace

Changes::Changes(const ControlPlane::Dependencies& dependencies, ServiceTable& table, StateEditor& editor, AuditTrail& audit)
    : dependencies_(dependencies), table_(table), editor_(editor), audit_(audit) {}

Status Changes::writable() const {
  if (Status store = check_health("state store", dependencies_.store.health()); !store) return store;
  return check_health("fan-out", dependencies_.fanout.health());
}

Result<Changes::Target> Changes::check(const Change& change) const {
  Target target{table_.find(change.service), {}};
  if (target.service == nullptr)
    return Status(Code::kNotFound, fmt::format("no service '{}'; there are: {}", change.service, fmt::join(names_of(table_.all()), ", ")));
  if (change.location == "all") {
    target.locations.resize(target.service->locations.size());
    std::iota(target.locations.begin(), target.locations.end(), std::size_t{0});
  } else if (const auto location = target.service->find(change.location)) {
    target.locations.push_back(*location);
  } else {
    return Status(Code::kNotFound, fmt::format("service '{}' has no location '{}'", change.service, change.location));
  }
  if (change.kind == Change::Kind::kSchedule && (!change.at || *change.at <= dependencies_.clock.now()))
    return Status(Code::kInvalidArgument, fmt::format("a scheduled resume of {}/{} needs a date in the future, not {}", change.service,
                                                      change.location, change.at ? format_iso(*change.at) : "none"));
  return target;
}

void Changes::request(const Change& change, const Done& done) {
  auto target = check(change);
  if (!target) return done(target.status());
  if (const Status usable = writable(); !usable) return done(usable);
  auto changed = std::make_shared<std::vector<std::size_t>>();
  StateEditor::Job job{target->service, target->locations};
  job.edit = [this, change](const DesiredState& current, bool readable) {
    return after_change(current, readable, change, dependencies_.clock.now());
  };
  job.on_stored = [this, changed, service = target->service](std::span<const Edited> edited) {
    hint(*service, edited);
    for (const auto& one : edited) changed->push_back(one.location);
  };
  job.done = [this, change, changed, target = *target, done](const Status& status) { done(finish(change, target, status, *changed)); };
  editor_.run(std::move(job));
}

Result<std::vector<Changed>> Changes::finish(const Change& change, const Target& target, const Status& status,
                                             const std::vector<std::size_t>& changed) {
  if (!changed.empty()) {
    audit_.record({{}, {}, change.by, change.service, change.location, std::string(to_string(change.kind)), change.reason, change.at});
    dependencies_.log.info("control", to_string(change.kind),
                           {{"service", change.service}, {"location", change.location}, {"by", change.by}, {"reason", change.reason}});
  }
  if (!status) return status;
  const auto& states = target.service->locations;
  const bool schedules = change.kind == Change::Kind::kSchedule || change.kind == Change::Kind::kUnschedule;
  if (schedules && change.location != "all" && !states[target.locations.front()].error.empty())
    return Status(Code::kFailedPrecondition, states[target.locations.front()].error);

  std::vector<Changed> results;
  results.reserve(target.locations.size());
  for (const auto location : target.locations)
    results.push_back({target.service->spec.locations[location].name, states[location].desired, false});
  for (const auto location : changed) results[target.locations.size() == 1 ? 0 : location].changed = true;
  return results;
}

void Changes::fire(const std::vector<Scheduler::Key>& due) {
  std::map<std::string, std::vector<std::size_t>> by_service;
  for (const auto& [name, location] : due) {
    const auto service = table_.find(name);
    if (service == nullptr) continue;
    if (const auto index = service->find(location)) by_service[name].push_back(*index);
  }
  for (auto& [name, locations] : by_service) fire(table_.find(name), std::move(locations));
}

// Also when the fan-out is lost: hints are for speed, and nobody waits for an answer. Without the store nothing fires: it
// decides, and the scheduler comes again.
void Changes::fire(const std::shared_ptr<Service>& service, std::vector<std::size_t> locations) {
  if (!dependencies_.store.health().ok) return;
  auto fired = std::make_shared<std::vector<Edited>>();
  StateEditor::Job job{service, std::move(locations)};
  job.edit = [this](const DesiredState& current, bool readable) {
    return readable ? after_due(current, dependencies_.clock.now()) : std::nullopt;
  };
  job.on_stored = [this, service, fired](std::span<const Edited> edited) {
    hint(*service, edited);
    fired->insert(fired->end(), edited.begin(), edited.end());
  };
  job.done = [this, service, fired](const Status& status) {
    record_fired(*service, *fired);
    // It is tried again every second, and a lost store is in the log already.
    const auto level = status.code() == Code::kUnavailable ? telemetry::Level::kDebug : telemetry::Level::kWarn;
    if (!status) dependencies_.log.write(level, "control", "a scheduled resume has to wait", {{"reason", status.message()}});
  };
  editor_.run(std::move(job));
}

void Changes::hint(const Service& service, std::span<const Edited> edited) {
  Status published;
  for (const auto& one : edited)
    for (const auto& message : hints_for(one.before, one.after, one.version))
      if (Status sent = dependencies_.fanout.publish(service.channel_of(one.location), message); !sent) published = std::move(sent);
  if (!published)
    dependencies_.log.warn("control", "stored, but other nodes could not be told and will see it later",
                           {{"service", service.spec.name}, {"error", published.message()}});
}

void Changes::record_fired(const Service& service, const std::vector<Edited>& fired) {
  const bool all = fired.size() > 1 && fired.size() == service.locations.size();
  for (const auto& one : fired) {
    const std::string& location = all ? "all" : service.spec.locations[one.location].name;
    audit_.record({{}, {}, one.after.by, service.spec.name, location, "scheduled-resume", {}, one.before.scheduled_resume});
    dependencies_.log.info("control", "scheduled-resume", {{"service", service.spec.name}, {"location", location}});
    if (all) break;
  }
}

}  // namespace fermata::control
