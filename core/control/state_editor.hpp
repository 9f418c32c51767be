#pragma once

#include "base/clock.hpp"
#include "control/service_table.hpp"
#include "control/turns.hpp"
#include "ports/state_store.hpp"
#include "telemetry/log.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace fermata::control {

/// One location's desired state, changed in the store by us.
struct Edited {
  std::size_t location;
  DesiredState before;
  DesiredState after;
  Version version;
};

/// The only one who reads and writes desired state in the store: reads afresh, decides, writes with the version that was
/// read, and tries again when that moved meanwhile. Locations that are missing in the store are made. Whatever was read
/// or written is adopted in the table. Threads: [turn].
class StateEditor {
 public:
  /// What should become of a location; nullopt: it stays. See after_change for `readable`.
  using Edit = std::function<std::optional<DesiredState>(const DesiredState& current, bool readable)>;

  struct Job {
    std::shared_ptr<Service> service;
    std::vector<std::size_t> locations;                                    ///< without duplicates
    Edit edit = {};                                                        ///< empty: only read
    std::function<void(std::span<const Edited>)> on_stored = [](auto) {};  ///< after each batch that was stored and adopted
    /// At the end, now or in a later turn. kUnavailable: the store is lost; kAborted: others kept changing the locations.
    std::function<void(Status)> done = [](const Status&) {};
  };
  using OnAdopted = std::function<void(const std::shared_ptr<Service>& service, std::size_t location)>;

  StateEditor(StateStore& store, ServiceTable& table, Turns turns, telemetry::Log& log, OnAdopted on_adopted);

  void run(Job job);

 private:
  struct Run;
  struct Planned;

  void proceed(const std::shared_ptr<Run>& run);
  std::optional<Status> attempt(Run& run);
  Result<std::vector<std::optional<StateEntry>>> read(const Service& service, std::span<const std::size_t> locations);
  std::vector<Planned> plan(Run& run, std::vector<std::optional<StateEntry>> stored);
  std::optional<Planned> plan_one(Run& run, std::size_t location, std::optional<StateEntry> stored);
  Status write(Run& run, std::span<const Planned> batch);
  void adopt_stored(const std::shared_ptr<Service>& service, std::size_t location, const StateEntry& entry);
  void adopt_written(Run& run, std::span<const Planned> batch, std::span<const Version> versions);

  StateStore& store_;
  ServiceTable& table_;
  Turns turns_;
  telemetry::Log& log_;
  const OnAdopted on_adopted_;
};

}  // namespace fermata::control
