#pragma once

#include "base/clock.hpp"

#include <map>
#include <optional>
#include <vector>

namespace fermata::pipeline {

struct Entry;

/// When records that are to be tried again take their next turn. Threads: none of its own; the owner locks and keeps the timer.
class RetrySchedule {
 public:
  void add(SteadyTime due, Entry& entry) { by_time_.emplace(due, &entry); }
  void remove(const Entry& entry) {
    std::erase_if(by_time_, [&entry](const auto& item) { return item.second == &entry; });
  }
  /// Takes out what is due.
  std::vector<Entry*> take_due(SteadyTime now) {
    std::vector<Entry*> due;
    const auto end = by_time_.upper_bound(now);
    for (auto item = by_time_.begin(); item != end; ++item) due.push_back(item->second);
    by_time_.erase(by_time_.begin(), end);
    return due;
  }
  /// Takes out all, due or not.
  std::vector<Entry*> take_all() { return take_due(SteadyTime::max()); }
  /// When the first is due.
  std::optional<SteadyTime> next() const {
    if (by_time_.empty()) return std::nullopt;
    return by_time_.begin()->first;
  }

 private:
  std::multimap<SteadyTime, Entry*> by_time_;
};

}  // namespace fermata::pipeline
