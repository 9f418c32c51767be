#pragma once

#include "control/types.hpp"
#include "ports/state_store.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::control {

/// What a node does for a location, and which stored state it has heard of when it says so.
struct ObservedEntry {
  Version heard = StateWrite::kAnyVersion;
  LocationObservation observation;
};

/// What one node says of up to 256 neighbouring locations of a service: one ephemeral entry of the store.
struct ObservedChunk {
  std::string node;
  std::string instance;    ///< the process that says so, see NodeEntry
  std::size_t chunks = 1;  ///< how many there are of this node and service; until all are seen, it has not said everything
  std::map<std::string, ObservedEntry, std::less<>> locations;
};

/// At most about 450 KiB: messages are cut, and details of a plugin are left out when they are long.
std::string format_chunk(const ObservedChunk& chunk);
/// nullopt if it is not what format_chunk writes.
std::optional<ObservedChunk> parse_chunk(std::string_view data);

/// How a node presents itself: one ephemeral entry of the store.
struct NodeEntry {
  NodeView view;
  std::vector<std::string> services;  ///< what it runs, or failed to
  std::string instance = {};          ///< of the process, made at its start: tells it from its predecessor and from namesakes
};

std::string format_node(const NodeEntry& entry);
/// nullopt if it is not what format_node writes. `self` is left false.
std::optional<NodeEntry> parse_node(std::string_view data);

}  // namespace fermata::control
