#pragma once

#include "control/audit.hpp"
#include "control/control_plane.hpp"
#include "control/scheduler.hpp"
#include "control/service_table.hpp"
#include "control/state_editor.hpp"
#include "ports/fanout.hpp"

#include <functional>
#include <span>
#include <vector>

namespace fermata::control {

/// Carries out what operators, foreign APIs and schedules want: stored first, hinted second, answered third.
/// Threads: [turn], but writable [any].
class Changes {
 public:
  using Done = std::function<void(Result<std::vector<Changed>>)>;

  Changes(const ControlPlane::Dependencies& dependencies, ServiceTable& table, StateEditor& editor, AuditTrail& audit);

  void request(const Change& change, const Done& done);
  /// Fires these schedules, as far as they still stand and are due.
  void fire(const std::vector<Scheduler::Key>& due);
  Status writable() const;

 private:
  struct Target {
    std::shared_ptr<Service> service;
    std::vector<std::size_t> locations;
  };

  Result<Target> check(const Change& change) const;
  Result<std::vector<Changed>> finish(const Change& change, const Target& target, const Status& status,
                                      const std::vector<std::size_t>& changed);
  void fire(const std::shared_ptr<Service>& service, std::vector<std::size_t> locations);
  void hint(const Service& service, std::span<const Edited> edited);
  void record_fired(const Service& service, const std::vector<Edited>& fired);

  ControlPlane::Dependencies dependencies_;
  ServiceTable& table_;
  StateEditor& editor_;
  AuditTrail& audit_;
};

}  // namespace fermata::control
