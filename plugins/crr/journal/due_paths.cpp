#include "journal/due_paths.hpp"

#include <algorithm>

namespace fermata::crr {

bool DuePaths::add(const std::string& path, Time due, bool complete, Time since) {
  const auto known = entries_.find(path);
  if (known == entries_.end()) {
    if (entries_.size() >= capacity_) return false;
    entries_.emplace(path, Entry{due, complete, since});
    order_.emplace(due, path);
    return true;
  }
  Entry& entry = known->second;
  order_.erase({entry.due, path});
  entry = {std::min(entry.due, due), entry.complete || complete, std::min(entry.since, since)};
  order_.emplace(entry.due, path);
  return true;
}

std::optional<DuePaths::Path> DuePaths::take(Time now) {
  if (order_.empty() || order_.begin()->first > now) return std::nullopt;
  const auto node = entries_.extract(order_.begin()->second);
  order_.erase(order_.begin());
  return Path{node.key(), node.mapped().complete, node.mapped().since};
}

std::optional<DuePaths::Time> DuePaths::next_due() const { return order_.empty() ? std::nullopt : std::optional(order_.begin()->first); }

void DuePaths::clear() {
  entries_.clear();
  order_.clear();
}

}  // namespace fermata::crr
