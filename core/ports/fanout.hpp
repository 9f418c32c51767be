#pragma once

#include "base/status.hpp"
#include "ports/health.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace fermata {

/// Messages to every node, ours included: Redis publish/subscribe in a cluster, in-process embedded. Delivery is at most
/// once: a message may be lost without harm, because it only says "look again".
///
/// Threads: [any]. Listeners run on a thread of the fan-out, one at a time per fan-out, in order of arrival per channel,
///          and must not block.
class Fanout {
 public:
  virtual ~Fanout() = default;

  struct Listener {
    std::function<void(std::string_view channel, std::string_view message)> on_message;
    /// The subscription stands (again): whatever was sent before may have been missed.
    std::function<void()> on_subscribed;
  };

  /// Subscribes to exactly these channels, in place of those before: called again as services come and go.
  virtual Status subscribe(std::vector<std::string> channels, Listener listener) = 0;

  /// Hands the message to the transport. Returns at once; kUnavailable if there is no connection.
  virtual Status publish(std::string_view channel, std::string_view message) = 0;

  virtual Health health() const = 0;
};

}  // namespace fermata
