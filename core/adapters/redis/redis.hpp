#pragma once

#include "base/clock.hpp"
#include "ports/fanout.hpp"
#include "ports/key_value_store.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fermata::redis {

/// The fan-out and the bulk store of a cluster, on one Redis (5 or later) or on the master that Sentinels name.
///
/// Two connections, one that subscribes and one for everything else; each is probed with PING, so that a half-open one is
/// noticed, and made anew with back-off. Writes of the bulk store wait in memory, in order, while there is no connection,
/// and are sent again if their answer was lost. They are as durable as that Redis is: see docs/how-to/run-a-cluster.md.
///
/// Threads: calls [any]; all callbacks run on one thread, the dispatcher, under no lock, and must not block it: get and
/// scan are kFailedPrecondition there.
/// Errors: health() of the fan-out tells of both connections, and of writes that Redis refuses (full, read-only, not
/// permitted). Nothing that was put is dropped: it is tried again, in order, with all that came after it.
class Backend {
 public:
  struct Options {
    std::vector<std::string> servers = {};  ///< "host:port" or "unix:/path"; the first that answers. With `sentinel_master`: Sentinels
    std::string sentinel_master = {};       ///< the name of the master that Sentinels watch; empty: no Sentinels
    std::string sentinel_user = {};
    std::string sentinel_password = {};  ///< never logged
    std::string user = {};               ///< of Redis's ACL; empty: the default user
    std::string password = {};           ///< never logged
    int database = 0;
    std::string channel_prefix = {};                 ///< before the name of every channel; Backbeat has none
    std::string key_prefix = {};                     ///< before the name of every key
    std::chrono::milliseconds ping_interval{2'000};  ///< a connection that is silent for twice as long is given up
    std::chrono::milliseconds operation_timeout{5'000};
    std::size_t write_buffer_bytes = 64u << 20;
  };

  /// Connects in the background: also while Redis cannot be reached. kInvalidArgument for options that make no sense.
  static Result<std::unique_ptr<Backend>> open(Options options, const Clock& clock, telemetry::Log& log);
  /// Waits up to `operation_timeout` until what was put is written; what then is left is lost, and said in the log.
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  Fanout& fanout();
  KeyValueStore& kv();

  /// Calls `done` once everything that was put before is written: at once, on this thread, if nothing waits, else on the
  /// dispatcher. Never called if this object dies before. Threads: [any].
  void after_writes(std::function<void()> done);

 private:
  class Impl;
  explicit Backend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::redis
