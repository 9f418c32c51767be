#pragma once

#include "telemetry/log.hpp"

namespace fermata::zookeeper {

/// The C client's own messages, at debug level. It names no handle with a message, so each goes to every log that has an
/// open client: in a daemon that is one. Threads: [any].
class ClientLog {
 public:
  static void add(telemetry::Log& log);
  static void remove(telemetry::Log& log);
  /// What the C client calls.
  static void write(const char* message);
};

}  // namespace fermata::zookeeper
