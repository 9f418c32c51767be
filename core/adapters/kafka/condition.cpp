#include "adapters/kafka/condition.hpp"

#include <fmt/format.h>

namespace fermata::kafka {

bool Condition::set(const std::string& part, const Status& status) {
  const std::lock_guard lock(mutex_);
  const bool was_bad = troubles_.count(part) > 0;
  if (status.is_ok())
    troubles_.erase(part);
  else
    troubles_.insert_or_assign(part, status);
  if (troubles_.empty()) {
    cell_.set(Status::ok());
  } else {
    const auto& [first, trouble] = *troubles_.begin();
    cell_.set({trouble.code(), fmt::format("{}: {}", first, trouble.message())});
  }
  return was_bad != !status.is_ok();
}

}  // namespace fermata::kafka
