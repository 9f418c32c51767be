#pragma once

#include "base/status.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace fermata {

/// Exclusive roles in the cluster ("populator/crr/journal"): at most one holder at a time, moved within the lease time
/// when the holder dies. ZooKeeper in a cluster; embedded there is one node, which gets every lease at once.
///
/// Threads: [any]. Callbacks run on a thread of the adapter, one at a time per campaign, and must not block.
class Leases {
 public:
  virtual ~Leases() = default;

  struct Events {
    /// We hold the lease. `fencing_token` grows with every grant of this lease, over all nodes and restarts.
    std::function<void(std::uint64_t fencing_token)> on_granted;
    /// We may no longer act. Called before another node can be granted it, unless this process was stopped for longer
    /// than the lease time.
    std::function<void()> on_lost;
  };

  /// Stands for the lease until destroyed; destroying gives it up, and no callback runs afterwards.
  class Campaign {
   public:
    virtual ~Campaign() = default;
  };

  /// @param name  path-like, e.g. "populator/crr/journal".
  virtual std::unique_ptr<Campaign> campaign(std::string_view name, Events events) = 0;

  /// The node that holds the lease now, or empty. May block for I/O, at most 5 s.
  virtual Result<std::string> holder(std::string_view name) = 0;
};

}  // namespace fermata
