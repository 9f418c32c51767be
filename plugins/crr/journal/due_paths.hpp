#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace fermata::crr {

/// Paths that must be looked at, each at its time; bounded. Threads: one at a time.
class DuePaths {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Path {
    std::string path;
    bool complete;  ///< no writer is known to be at it
    Time since;     ///< when it was added first
  };

  explicit DuePaths(std::size_t capacity) : capacity_(capacity) {}

  /// Adds a path, or brings its time forward. @return false if there is no room.
  bool add(const std::string& path, Time due, bool complete, Time since);
  /// Takes the path that is due first, if its time has come.
  std::optional<Path> take(Time now);
  /// When the first is due; nullopt: none is waiting.
  std::optional<Time> next_due() const;
  void clear();
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Time due;
    bool complete;
    Time since;
  };

  const std::size_t capacity_;
  std::unordered_map<std::string, Entry> entries_;
  std::set<std::pair<Time, std::string>> order_;
};

}  // namespace fermata::crr
