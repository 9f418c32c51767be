#include "adapters/redis/health_board.hpp"

#include <algorithm>

namespace fermata::redis {

void HealthBoard::set(Part part, const Status& status) {
  parts_[static_cast<std::size_t>(part)] = status;
  const auto bad = std::find_if(parts_.begin(), parts_.end(), [](const Status& one) { return !one.is_ok(); });
  const Status overall = bad == parts_.end() ? Status::ok() : *bad;
  if (!cell_.set(overall)) return;
  if (overall.is_ok())
    log_.info("redis", "Redis can be used again");
  else
    log_.warn("redis", "Redis cannot be used", {{"reason", overall.message()}});
}

}  // namespace fermata::redis
