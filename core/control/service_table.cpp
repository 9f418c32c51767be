#include "control/service_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_set>
#include <utility>

namespace fermata::control {
namespace {

bool is_segment(std::string_view name) { return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != ".."; }

}  // namespace

void DriverSlot::apply(std::string_view location, bool paused) {
  const std::shared_lock lock(mutex_);
  if (driver_ != nullptr) driver_->apply(location, paused);
}

LocationObservation DriverSlot::observe(std::string_view location) const {
  const std::shared_lock lock(mutex_);
  LocationObservation observation = driver_ != nullptr ? driver_->observe(location) : LocationObservation{};
  if (driver_ != nullptr && failure_.empty()) return observation;
  observation.state = ObservedState::kFailed;
  observation.message = failure_.empty() ? "the service does not run on this node" : failure_;
  return observation;
}

void DriverSlot::set_failure(std::string failure) {
  const std::unique_lock lock(mutex_);
  failure_ = std::move(failure);
}

void DriverSlot::close() {
  const std::unique_lock lock(mutex_);
  if (driver_ != nullptr) driver_->on_change({});
  driver_ = nullptr;
}

Status Service::check(const ServiceSpec& spec) {
  if (!is_segment(spec.name))
    return {Code::kInvalidArgument, fmt::format("service name '{}' must be neither empty nor contain '/'", spec.name)};
  if (!is_segment(spec.state_name))
    return {Code::kInvalidArgument,
            fmt::format("service '{}': state name '{}' must be neither empty nor contain '/'", spec.name, spec.state_name)};
  std::unordered_set<std::string_view> names;
  for (const auto& location : spec.locations) {
    if (!is_segment(location.name) || location.name == "all")
      return {Code::kInvalidArgument, fmt::format("service '{}': a location cannot be named '{}': use a name that is not empty, without "
                                                  "'/', and not 'all'",
                                                  spec.name, location.name)};
    if (!names.insert(location.name).second)
      return {Code::kInvalidArgument, fmt::format("service '{}': location '{}' is listed twice; remove one", spec.name, location.name)};
  }
  return Status::ok();
}

Service::Service(ServiceSpec wanted, std::string_view base_path, ServiceDriver* service_driver, std::string failure)
    : spec(std::move(wanted)),
      state_path(fmt::format("{}/{}/state", base_path, spec.state_name)),
      driver(service_driver, std::move(failure)),
      locations(spec.locations.size()) {
  index_.reserve(locations.size());
  for (std::size_t i = 0; i < locations.size(); ++i) {
    index_.emplace(spec.locations[i].name, i);
    locations[i].desired.paused = spec.locations[i].paused_at_first.value_or(spec.paused_at_first);
  }
}

std::optional<std::size_t> Service::find(std::string_view location) const {
  const auto found = index_.find(location);
  return found == index_.end() ? std::nullopt : std::optional(found->second);
}

Status ServiceTable::add(std::shared_ptr<Service> service) {
  const std::unique_lock lock(mutex_);
  if (find_locked(service->spec.name) != nullptr)
    return {Code::kAlreadyExists, fmt::format("there is a service '{}' already; give one another name", service->spec.name)};
  service->revision = ++last_revision_;
  services_.push_back(std::move(service));
  return Status::ok();
}

std::shared_ptr<Service> ServiceTable::remove(std::string_view name) {
  const std::unique_lock lock(mutex_);
  const auto found = std::ranges::find(services_, name, [](const auto& service) { return std::string_view(service->spec.name); });
  if (found == services_.end()) return nullptr;
  auto service = std::move(*found);
  services_.erase(found);
  return service;
}

std::shared_ptr<Service> ServiceTable::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  return find_locked(name);
}

std::shared_ptr<Service> ServiceTable::find_locked(std::string_view name) const {
  const auto found = std::ranges::find(services_, name, [](const auto& service) { return std::string_view(service->spec.name); });
  return found == services_.end() ? nullptr : *found;
}

std::vector<std::shared_ptr<Service>> ServiceTable::all() const {
  const std::shared_lock lock(mutex_);
  return services_;
}

std::uint64_t ServiceTable::revision(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  for (const auto& service : services_)
    if (service->spec.name == name) return service->revision;
  return 0;
}

LocationState ServiceTable::state(const Service& service, std::size_t location) const {
  const std::shared_lock lock(mutex_);
  return service.locations[location];
}

bool ServiceTable::known(const Service& service) const {
  const std::shared_lock lock(mutex_);
  return std::ranges::none_of(service.locations, [](const auto& state) { return state.version == StateWrite::kAnyVersion; });
}

LocationObservation ServiceTable::observe(const Service& service, std::size_t location) const {
  LocationObservation observation = service.driver.observe(service.spec.locations[location].name);
  const std::shared_lock lock(mutex_);
  const auto& state = service.locations[location];
  if (observation.state == ObservedState::kFailed || state.applied) return observation;
  observation.state = state.error.empty() ? ObservedState::kStarting : ObservedState::kFailed;
  observation.message = state.error.empty() ? "what is desired could not be read yet" : state.error;
  return observation;
}

void ServiceTable::adopt(Service& service, std::size_t location, LocationState state) {
  auto& known = service.locations[location];
  const bool readable = state.error.empty();
  if (readable && (!known.applied || known.desired.paused != state.desired.paused))
    service.driver.apply(service.spec.locations[location].name, state.desired.paused);
  const std::unique_lock lock(mutex_);
  state.applied = known.applied || readable;
  known = std::move(state);
  service.revision = ++last_revision_;
}

}  // namespace fermata::control
