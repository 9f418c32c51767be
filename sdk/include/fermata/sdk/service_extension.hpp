#pragma once

#include <fermata/sdk/host.hpp>
#include <fermata/sdk/status.hpp>

#include <string>
#include <string_view>

namespace fermata::sdk {

/// What an extension adds to the host's own picture of a location.
struct LocationStatus {
  enum class State { kHealthy, kDegraded, kFailed };
  State state = State::kHealthy;
  std::string message = {};       ///< why, when not healthy
  std::string details_json = {};  ///< a JSON object shown to operators as it is; empty: none
};

/// One service living inside the daemon, e.g. replication to a region.
///
/// Lifecycle:  construct -> init -> start -> (pause <-> resume per location)* -> stop -> destroy.
///             A failed init goes straight to destroy. start is retried after kUnavailable.
/// Ownership:  the host owns the extension; `Host&` outlives it. Arguments are borrowed for the call.
/// Threads:    [control] one host thread at a time. What is registered with the Host runs on [any] thread.
/// Errors:     return a Status. An escaping exception is caught, logged and reported as kInternal.
class ServiceExtension {
 public:
  virtual ~ServiceExtension() = default;

  /// Reads configuration and registers processors, populators and routes; no network I/O. At most 10 s. [control]
  /// @param config  {"service":"..","settings":{..},"locations":[{"name":"..",..}],"work_dir":".."} as JSON, already
  ///                valid against the manifest's schemas.
  /// @return kInvalidArgument, naming the key, if values contradict each other.
  virtual Status init(Host& host, std::string_view config) = 0;

  /// Opens connections, starts threads. Records and polls come once it has returned ok. At most 30 s. [control]
  virtual Status start() { return Status::ok(); }

  /// Ends all work: on return every delivery and batch is finished and own threads are joined. At most 10 s by default. [control]
  virtual Status stop() { return Status::ok(); }

  /// Stops work for `location` that the host's gates do not cover; they are closed already, and what is in flight goes
  /// on. Idempotent. At most 1 s. [control]
  virtual Status pause([[maybe_unused]] std::string_view location) { return Status::ok(); }

  /// Takes that work up again; the gates open after it returns ok. Idempotent. At most 1 s. [control]
  virtual Status resume([[maybe_unused]] std::string_view location) { return Status::ok(); }

  /// What the host cannot know by itself, e.g. that a target cannot be reached. Within 100 ms: no I/O. [control]
  virtual LocationStatus status([[maybe_unused]] std::string_view location) { return {}; }
};

}  // namespace fermata::sdk
