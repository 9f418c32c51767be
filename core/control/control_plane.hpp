#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "control/service_driver.hpp"
#include "control/types.hpp"
#include "ports/fanout.hpp"
#include "ports/key_value_store.hpp"
#include "ports/leases.hpp"
#include "ports/state_store.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::control {

/// A wish of an operator.
struct Change {
  enum class Kind { kPause, kResume, kSchedule, kUnschedule };
  Kind kind = Kind::kPause;
  std::string service;
  std::string location;             ///< a name, or "all"
  std::optional<WallTime> at = {};  ///< kSchedule: when to resume
  std::string reason = {};
  std::string by = {};
};

/// What a change did to one location.
struct Changed {
  std::string location;
  DesiredState desired;
  bool changed = false;  ///< false: it already was so (or, kSchedule: `desired` is not paused, and nothing happened)
};

struct AuditEntry {
  WallTime at;
  std::string node;
  std::string by;
  std::string service;
  std::string location;
  std::string action;  ///< pause, resume, schedule, unschedule, scheduled-resume
  std::string reason;
  std::optional<WallTime> scheduled_resume;
};

/// Desired state of every (service, location), kept in the state store, brought to this node's services and shown
/// together with what all nodes really do.
///
/// Rules: compare-and-set first, hint second, answer third; `paused` and
/// `scheduledResume` change in one write; a schedule fires exactly once, by the same compare-and-set; a lost dependency
/// stops nothing that runs.
///
/// Lifecycle:  construct -> add_service* -> start -> ... -> stop -> destroy. Services may also come and go after start.
/// Threads:    reads and requests [any], never blocking; all state-store work runs on the control executor.
/// Ownership:  everything passed in outlives the control plane; a driver outlives its remove_service.
class ControlPlane {
 public:
  struct Options {
    std::string node_id = {};
    std::string node_address = {};
    std::string node_version = {};
    std::string base_path = "/backbeat";
    std::chrono::milliseconds reconcile_interval{30'000};
    std::chrono::milliseconds observation_interval{1'000};  ///< how often changed counts are shown to other nodes
    std::size_t audit_limit = 10'000;                       ///< older entries are removed
  };
  struct Dependencies {
    StateStore& store;
    Fanout& fanout;
    Leases& leases;
    KeyValueStore& kv;
    Executor& executor;  ///< the control executor: one thread, may block
    const Clock& clock;
    telemetry::Log& log;
  };

  ControlPlane(Options options, Dependencies dependencies);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  /// @param driver  null for a service that failed to load: its desired state can still be steered, and this node shows
  ///                it as failed with `failure`.
  /// kAlreadyExists if there is a service of that name; kInvalidArgument, naming the location, if its name is empty,
  /// "all", has a '/', or stands twice.
  Status add_service(ServiceSpec spec, ServiceDriver* driver, std::string failure = {});
  /// Its locations stop being steered; their state is kept. On return the driver is not called any more.
  void remove_service(std::string_view name);
  /// A service that was running has failed for good on this node (or, empty: has recovered).
  void set_failure(std::string_view name, std::string failure);

  /// Reads or makes all state and applies it, announces this node, subscribes. Locations whose state cannot be read yet
  /// stay kStarting with closed gates, and are read as soon as the store is there. Blocks until the first pass is done.
  void start();
  /// Withdraws this node; blocks until no callback runs. What was requested and is not answered by then is dropped. Not
  /// from a callback.
  void stop();

  // Reads. An unknown service is kNotFound.

  std::vector<std::string> services() const;
  Result<ServiceSpec> service(std::string_view name) const;
  /// Calls `visit` for every location, in configuration order, as each is at that moment.
  Status visit(std::string_view service, const std::function<void(const LocationView&)>& visit) const;
  Result<LocationView> location(std::string_view service, std::string_view location) const;
  /// Visits only names and desired states, without gathering observations: the fast path of the status route. Runs under
  /// a lock: `visit` must be quick and not call back.
  Status visit_desired(std::string_view service, const std::function<void(std::string_view location, const DesiredState&)>& visit) const;
  /// kUnavailable until every desired state of the service was read from the store once. [any]
  Status desired_known(std::string_view service) const;
  /// Moves whenever a desired state of the service changes; for caches of visit_desired. 0: no such service.
  std::uint64_t desired_revision(std::string_view service) const;
  std::vector<NodeView> nodes() const;
  /// Not empty: another process has the same node_id, and which; this one then shows nothing of itself to others. [any]
  std::string conflict() const;

  // Requests: the callback runs once, on the control executor.

  /// Writes, hints, applies, then calls back, with one Changed per location concerned. kNotFound: service or location
  /// unknown; kInvalidArgument: a schedule without a date in the future; kUnavailable: the state store or the fan-out is
  /// lost, nothing changed (some of `all` may have; the message says so); kAborted: others kept changing the same
  /// locations; kFailedPrecondition: a schedule where the stored state cannot be read (pause or resume mends it).
  void change(Change change, std::function<void(Result<std::vector<Changed>>)> done);

  /// Calls back with true as soon as every location named (or "all") is, on every live node, what is desired then; a
  /// degraded one counts as running. With false at `timeout`, or at once if the service or location is unknown.
  void wait_converged(std::string service, std::string location, std::chrono::milliseconds timeout, std::function<void(bool)> done);

  /// The changes that were made through the nodes that share the bulk store; one of "all" is one entry. The newest entries
  /// first, older than `before_id` (empty: from the newest), as (id, entry).
  void audit(std::string before_id, std::size_t limit, std::function<void(Result<std::vector<std::pair<std::string, AuditEntry>>>)> done);

  /// kUnavailable with the reason and since when, if desired state cannot be changed now.
  Status writable() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::control
