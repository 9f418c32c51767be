#pragma once

#include "base/clock.hpp"
#include "control/control_plane.hpp"
#include "control/turns.hpp"
#include "ports/key_value_store.hpp"
#include "telemetry/log.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::control {

/// The trail of changes, in the bulk store, where nodes that share it add to one trail; the oldest go when there are more
/// than `limit`.
/// Threads: [turn]; page blocks for I/O.
class AuditTrail {
 public:
  using Entry = std::pair<std::string, AuditEntry>;  ///< id, entry

  AuditTrail(KeyValueStore& kv, const Clock& clock, telemetry::Log& log, Turns turns, std::string node, std::size_t limit);

  /// Fills in time and node. What cannot be kept is logged.
  void record(AuditEntry entry);
  /// The newest first, older than `before_id` (empty: from the newest); at most 1,000.
  Result<std::vector<Entry>> page(std::string_view before_id, std::size_t limit);

 private:
  std::string next_id();
  void trim(std::size_t kept, const std::string& after);

  KeyValueStore& kv_;
  const Clock& clock_;
  telemetry::Log& log_;
  Turns turns_;
  const std::string node_;
  const std::size_t limit_;
  std::int64_t last_us_ = 0;    // of the newest id, so that ids are unique and ordered
  std::size_t until_trim_ = 0;  // records to come before the trail is trimmed; at once after a start
};

}  // namespace fermata::control
