#pragma once

#include <fermata/sdk/status.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::ingestion {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// How far a log was read: what the host keeps as the populator's checkpoint, with what was missed on the way.
struct Position {
  std::int64_t next = 0;     ///< record to be read next; 0: not known yet
  std::int64_t entries = 0;  ///< of its entries, so many were done already
  std::int64_t lost = 0;     ///< records that the log no longer had when they were to be read
  std::int64_t too_large = 0;
  std::int64_t last_loss_ms = 0;  ///< when either grew last; ms since 1970

  bool is_at(const Position& other) const { return next == other.next && entries == other.entries; }
};

/// {"next":12,"entries":0,"lost":0,"tooLarge":0,"lastLossMs":0}; empty for the unknown position.
std::string to_checkpoint(const Position& position);
/// kDataLoss: not a checkpoint of ours.
Result<Position> parse_checkpoint(std::string_view text);

}  // namespace fermata::ingestion
