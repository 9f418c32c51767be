#include "adapters/redis/health_board.hpp"

#include <algorithm>

namespace fermata::redis {

HealthBoard::HealthBoard(const Clock& clock, telemetry::Log& log) : log_(log), cell_(clock) {
  for (const Part part : {Part::kCommands, Part::kSubscriber})
    parts_[static_cast<std::size_t>(part)] = {Code::kUnavailable, "not connected to Redis yet"};
  cell_.set(parts_.front());
}

void HealthBoard::set(Part part, const Status& status) {
  parts_[static_cast<std::size_t>(part)] = status;
  const auto bad = std::find_if(parts_.begin(), parts_.end(), [](const Status& one) { return !one.is_ok(); });
  const Status overall = bad == parts_.end() ? Status::ok() : *bad;
  cell_.set(overall);
  // While the first connections are made, the one that is not there yet is no news.
  if (overall.is_ok() == told_good_ || (status.is_ok() && !overall.is_ok())) return;
  told_good_ = overall.is_ok();
  if (told_good_)
    log_.info("redis", "Redis can be used again");
  else
    log_.warn("redis", "Redis cannot be used", {{"reason", overall.message()}});
}

}  // namespace fermata::redis
