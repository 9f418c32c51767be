#pragma once

#include "base/clock.hpp"
#include "control/changes.hpp"
#include "control/hints.hpp"
#include "control/turns.hpp"
#include "ports/leases.hpp"
#include "telemetry/log.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <string>

namespace fermata::control {

/// Carries out the commands of foreign APIs, which publish and store nothing (WIRE section 2): on the one node that
/// holds the lease, one after the other in order of arrival. At most 10,000 wait; those that still do when the lease is
/// lost are dropped and logged, lest they undo what the next holder does. Threads: [turn].
class ForeignCommands {
 public:
  ForeignCommands(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns, Changes& changes);

  /// Stands for the lease, or gives it up.
  void start();
  void stop();

  void take(const std::string& service, const std::string& location, const Message& message);

 private:
  void next();
  Status check_lease() const;
  void finish(const Change& change, const Status& status);

  const std::string node_id_;
  ControlPlane::Dependencies dependencies_;
  Turns turns_;
  Changes& changes_;
  std::shared_ptr<std::atomic<bool>> leads_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Leases::Campaign> campaign_;
  std::deque<Change> queue_;
  bool busy_ = false;
};

}  // namespace fermata::control
