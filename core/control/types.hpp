#pragma once
// The words of the control plane: what an operator asked for, and what nodes really do.

#include "base/clock.hpp"
#include "base/status.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::control {

/// What the operator asked for; one JSON document in the state store per (service, location), see desired_state.hpp.
struct DesiredState {
  bool paused = false;
  std::optional<WallTime> scheduled_resume = {};  ///< only while paused
  std::string reason = {};
  std::string by = {};
  std::optional<WallTime> at = {};  ///< when it was asked for

  bool operator==(const DesiredState&) const = default;
};

enum class ObservedState { kStarting, kRunning, kPausing, kPaused, kDegraded, kFailed };

constexpr std::string_view to_string(ObservedState state) {
  switch (state) {
    case ObservedState::kStarting: return "starting";
    case ObservedState::kRunning: return "running";
    case ObservedState::kPausing: return "pausing";
    case ObservedState::kPaused: return "paused";
    case ObservedState::kDegraded: return "degraded";
    case ObservedState::kFailed: return "failed";
  }
  return "failed";
}

/// What one node does for one location.
struct LocationObservation {
  ObservedState state = ObservedState::kStarting;
  std::int64_t in_flight = 0;  ///< handed to the plugin, not completed
  std::int64_t retrying = 0;   ///< waiting for their next attempt
  std::int64_t lag = 0;        ///< in the queue, not done
  std::int64_t processed = 0;  ///< done since start
  std::int64_t failed = 0;     ///< in the failed store, which all nodes share, as this one counted last; fewer after a retry
  std::string message = {};    ///< why degraded or failed, or which record is stuck
  std::string last_error = {};
  std::optional<WallTime> last_error_at = {};
  std::string details_json = {};  ///< what the plugin adds; a JSON object or empty

  bool operator==(const LocationObservation&) const = default;
};

struct NodeObservation {
  std::string node;
  LocationObservation observation;
};

struct LocationSpec {
  std::string name;
  std::optional<bool> paused_at_first = {};  ///< overrides ServiceSpec::paused_at_first
};

/// A service as the control plane knows it.
struct ServiceSpec {
  std::string name;                     ///< in URLs
  std::string state_name;               ///< in state paths: <base>/<state_name>/state/<location>; "replication" for crr
  std::string topic;                    ///< fan-out channels are "<topic>-<location>"
  bool paused_at_first = false;         ///< the state of a location that was never seen before
  std::vector<LocationSpec> locations;  ///< in configuration order
};

/// One location, as status routes show it.
struct LocationView {
  std::string name;
  DesiredState desired;
  std::string desired_error = {};  ///< not empty: the stored state cannot be read, and why; `desired` is the last good one
  /// What the cluster does: kPaused only when every live node that runs the location says so; kFailed, kDegraded,
  /// kPausing, kStarting if any says so, in this order; kPausing also while a node has not yet heard.
  ObservedState state = ObservedState::kStarting;
  std::vector<NodeObservation> nodes;  ///< the live ones, by name
  std::int64_t failed = 0;             ///< in the failed store: what the node says that counted most
};

struct NodeView {
  std::string id;
  std::string address;  ///< where its REST API listens
  std::string version;
  WallTime started_at;
  bool self = false;
};

/// A command that `fermata <service> <name> <argument>` offers; served by one of the service's own REST routes.
struct CommandSpec {
  std::string name;    ///< "object"
  std::string method;  ///< "GET"
  std::string path;    ///< below /api/v1/services/<service>/, e.g. "objects/{argument}"
  std::string summary;
};

/// How the plugin of a service stands on this node.
struct PluginView {
  std::string service;
  std::string name;
  std::string version;
  std::string description;
  std::string path;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::string state;  ///< starting, running, failed, stopping, stopped
  std::string error;
  std::vector<CommandSpec> commands;
};

}  // namespace fermata::control
