#pragma once

#include "base/clock.hpp"
#include "ports/fanout.hpp"
#include "ports/key_value_store.hpp"
#include "ports/leases.hpp"
#include "ports/queue.hpp"
#include "ports/state_store.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fermata::embedded {

/// Every port on one machine, with no server: SQLite files in `data_dir`, crash-safe (what was acknowledged survives
/// kill -9 and power loss), owned by one process at a time.
///
/// Threads: all callbacks of all ports run on one thread, the dispatcher, under no lock; on_assigned runs in the first poll.
/// A group has one consumer per topic: a second one is kUnavailable until the first is gone. One batch of `produce` is
/// there whole or not at all.
/// Errors: a disk that refuses writes makes calls kUnavailable and shows in health(); it is tried again about each second.
class Backend {
 public:
  struct Options {
    std::string data_dir;  ///< made if missing
    std::string node_id;
    std::int32_t partitions = 4;                            ///< of topics made on demand
    std::chrono::milliseconds retention{7LL * 86'400'000};  ///< records wait so long for a group that has no consumer now
    std::chrono::milliseconds commit_interval{1'000};
    std::size_t producer_buffer_bytes = 64u << 20;
  };

  /// kFailedPrecondition when another process owns data_dir: the message names its pid and host. kUnavailable,
  /// naming the file, when a file cannot be made or read; kDataLoss when it is damaged; kFailedPrecondition when a newer
  /// version has written it.
  static Result<std::unique_ptr<Backend>> open(Options options, const Clock& clock, telemetry::Log& log);
  /// Writes out what is buffered. Consumers, watches and campaigns must be gone.
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  StateStore& state();
  Fanout& fanout();
  Leases& leases();
  Queue& queue();
  KeyValueStore& kv();

 private:
  class Impl;
  explicit Backend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::embedded
