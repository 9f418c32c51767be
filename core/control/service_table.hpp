#pragma once

#include "control/service_driver.hpp"
#include "control/types.hpp"
#include "ports/state_store.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fermata::control {

/// The driver of a service, or why there is none. Threads: [any]. Calls to the driver hold a shared lock, so that close
/// can promise that none runs or comes; a driver never waits for close.
class DriverSlot {
 public:
  DriverSlot(ServiceDriver* driver, std::string failure) : driver_(driver), failure_(std::move(failure)) {}

  void apply(std::string_view location, bool paused);
  /// What the driver says; failed, with the reason, if the service is.
  LocationObservation observe(std::string_view location) const;
  void set_failure(std::string failure);
  /// On return the driver is not called any more.
  void close();

 private:
  mutable std::shared_mutex mutex_;  // guards everything below
  ServiceDriver* driver_;
  std::string failure_;
};

/// What is known of the desired state of one location.
struct LocationState {
  DesiredState desired;                       ///< the last good one; what a new location gets before one was read
  std::string error = {};                     ///< not empty: the stored state cannot be read, and why
  Version version = StateWrite::kAnyVersion;  ///< of the stored state that was read last
  std::size_t digest = 0;                     ///< of its data: a node that is removed and made anew repeats versions
  bool applied = false;                       ///< a desired state was read, and the driver knows
};

/// A service and its locations; which ones there are never changes.
struct Service {
  /// kInvalidArgument, naming the service and location, if the names cannot be used.
  static Status check(const ServiceSpec& spec);
  /// @param base_path  states are kept below "<base_path>/<state_name>/state".
  Service(ServiceSpec wanted, std::string_view base_path, ServiceDriver* service_driver, std::string failure);

  std::string path_of(std::size_t location) const { return state_path + "/" + spec.locations[location].name; }
  std::optional<std::size_t> find(std::string_view location) const;
  std::string channel_of(std::size_t location) const { return spec.topic + "-" + spec.locations[location].name; }

  const ServiceSpec spec;
  const std::string state_path;
  DriverSlot driver;
  std::vector<LocationState> locations;  ///< as spec.locations; guarded by ServiceTable, changed on a turn only
  std::atomic<std::uint64_t> revision;   ///< moves with every change of `locations`

 private:
  std::unordered_map<std::string_view, std::size_t> index_;
};

/// All services. Threads: reads [any], adopt [turn].
class ServiceTable {
 public:
  Status add(std::shared_ptr<Service> service);
  /// @return the one that was removed, or null.
  std::shared_ptr<Service> remove(std::string_view name);

  std::shared_ptr<Service> find(std::string_view name) const;
  std::vector<std::shared_ptr<Service>> all() const;
  /// Of the service, without touching its reference count; 0: no such service.
  std::uint64_t revision(std::string_view name) const;

  LocationState state(const Service& service, std::size_t location) const;
  /// Calls `visit` for every location under a lock.
  template <typename Visit>
  void visit(const Service& service, const Visit& visit) const {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < service.locations.size(); ++i)
      visit(std::string_view(service.spec.locations[i].name), service.locations[i].desired);
  }
  /// Whether every location's desired state was read, be it readable or not.
  bool known(const Service& service) const;
  /// What this node does for a location.
  LocationObservation observe(const Service& service, std::size_t location) const;

  /// Takes over what was read or written: tells the driver first, then everybody who reads. [turn]
  void adopt(Service& service, std::size_t location, LocationState state);

 private:
  std::shared_ptr<Service> find_locked(std::string_view name) const;

  mutable std::shared_mutex mutex_;  // guards services_ and Service::locations
  std::vector<std::shared_ptr<Service>> services_;
  std::atomic<std::uint64_t> last_revision_ = 0;
};

}  // namespace fermata::control
