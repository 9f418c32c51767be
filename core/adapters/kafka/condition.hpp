#pragma once

#include "ports/health.hpp"

#include <map>
#include <mutex>
#include <string>

namespace fermata::kafka {

/// The queue's health, put together from what each part of the adapter says of itself. Threads: [any].
class Condition {
 public:
  explicit Condition(const Clock& clock) : cell_(clock) {}

  /// @param part  e.g. "brokers", "producer", "consumer crr-eu of topic replication"; the first one in trouble is shown.
  /// @return true if this part changed from good to bad or back.
  bool set(const std::string& part, const Status& status);
  void forget(const std::string& part) { set(part, Status::ok()); }
  Health get() const { return cell_.get(); }

 private:
  mutable std::mutex mutex_;  // guards troubles_, and the order of what is put into cell_
  std::map<std::string, Status> troubles_;
  HealthCell cell_;
};

}  // namespace fermata::kafka
