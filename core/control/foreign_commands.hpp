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
#include <optional>
#include <string>
#include <string_view>

namespace fermata::control {

/// Carries out the commands of foreign APIs, which publish and store nothing (WIRE section 2): on the one node that
/// holds the lease, one after the other in order of arrival.
///
/// Every node keeps what it heard for a minute, at most 10,000, so that none is lost while the lease moves or the store is
/// away. A command leaves the line when this node sees that its location was changed after it was heard: by a foreign
/// command, then it was that one, or by an operator, whose word is newer. Threads: [turn].
class ForeignCommands {
 public:
  ForeignCommands(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns, Changes& changes);

  /// Stands for the lease, as long as commands can be heard; or gives it up.
  void start();
  void stop();

  void take(const std::string& service, const std::string& location, const Message& message);
  /// The desired state of a location was changed, by whom `by` says.
  void changed(const std::string& service, const std::string& location, std::string_view by);

 private:
  struct Heard {
    Change change;
    SteadyTime at;
  };

  void stand_while_hearing();
  void stand();
  void forget_old();
  void next_soon();
  void next();
  Status check_lease() const;
  void run(const Heard& heard);
  void finish(const Heard& heard, const Status& status);

  const std::string node_id_;
  ControlPlane::Dependencies dependencies_;
  Turns turns_;
  Changes& changes_;
  std::shared_ptr<std::atomic<bool>> leads_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Leases::Campaign> campaign_;
  std::deque<Heard> queue_;    // in order of arrival
  std::optional<Heard> busy_;  // what is being carried out
  bool next_posted_ = false;
};

}  // namespace fermata::control
