#pragma once

#include "control/cluster_view.hpp"
#include "control/control_plane.hpp"
#include "control/service_table.hpp"
#include "control/state_editor.hpp"
#include "control/turns.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace fermata::control {

/// Keeps the table as the state store is: reads when a service comes, on hints, on watches, when told that something may
/// have been missed, and on a timer; every second while the store cannot be read. Threads: [turn].
class Reconciler {
 public:
  Reconciler(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns, StateEditor& editor,
             ClusterView& cluster);

  /// Watches and reads these in this turn, and starts the timer.
  void start(const std::vector<std::shared_ptr<Service>>& services);
  /// Watches a service's states and reads them; nothing if it does so already.
  void add(const std::shared_ptr<Service>& service);
  void remove(const Service& service);
  /// Ends all watches.
  void stop();

  /// Reads everything: the states of all services, each in a turn of its own, and then who is there.
  void read_all();
  /// Reads these locations.
  void read(const std::shared_ptr<Service>& service, std::vector<std::size_t> locations);

 private:
  struct Watched {
    std::shared_ptr<Service> service;
    std::unique_ptr<StateStore::Watch> watch;
  };

  bool watch(const std::shared_ptr<Service>& service);
  void read_states(const std::shared_ptr<Service>& service);
  void read_soon(const std::string& service);
  void begin_pass();
  bool go_on();
  void run_pass();
  void note(const Status& status);
  void arm(std::chrono::milliseconds delay);

  const std::chrono::milliseconds interval_;
  ControlPlane::Dependencies dependencies_;
  Turns turns_;
  StateEditor& editor_;
  ClusterView& cluster_;
  std::map<std::string, Watched> services_;
  std::set<std::string> reading_soon_;
  TimerId timer_ = 0;
  std::vector<std::string> pass_;  // services that the pass has still to read
  bool passing_ = false;
  bool started_ = false;     // the first pass is over
  bool lost_ = false;        // a read of the last pass failed
  bool complained_ = false;  // in the log, since the last time that all went well
};

}  // namespace fermata::control
