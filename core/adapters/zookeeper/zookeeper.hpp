#pragma once

#include "base/clock.hpp"
#include "ports/leases.hpp"
#include "ports/state_store.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace fermata::zookeeper {

/// The state store and the leases of a cluster, on a ZooKeeper ensemble (3.4 or later).
///
/// One session. While it is disconnected, calls fail with kUnavailable after `operation_timeout` and leases are reported
/// lost before the session can have expired; when the ensemble ends it, a new one is opened and everything that belongs to
/// it is made anew: ephemeral entries, watches (each rings once, as changes may have been missed) and campaigns.
///
/// Threads: calls [any], never from a callback; all callbacks run on one thread, the dispatcher, under no lock.
class Backend {
 public:
  struct Options {
    std::vector<std::string> servers;             ///< "host:port", at least one
    std::string chroot;                           ///< "" or an absolute path that every path starts from; made if missing
    std::string leases_path = "/fermata/leases";  ///< below the chroot; an absolute path, made as needed
    std::string node_id;                          ///< what `Leases::holder` answers while this process holds a lease
    std::chrono::milliseconds session_timeout{10'000};
    std::chrono::milliseconds operation_timeout{5'000};
    std::string user = {};      ///< of the digest scheme; empty: no authentication
    std::string password = {};  ///< never logged
    bool only_creator = false;  ///< new entries may be used by `user` only; else by anyone
  };

  /// Opens the session in the background: also while no server can be reached. kInvalidArgument for options that make no
  /// sense.
  static Result<std::unique_ptr<Backend>> open(Options options, const Clock& clock, telemetry::Log& log);
  /// Ends the session, and with it what is ephemeral. Watches and campaigns must be gone.
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  StateStore& state();
  Leases& leases();

 private:
  class Impl;
  explicit Backend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::zookeeper
