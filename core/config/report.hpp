#pragma once

#include "config/config.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::config {

/// Where a value stands: for people ("extensions[0].name") and as a JSON pointer ("/extensions/0/name").
struct Place {
  std::string path = {};
  std::string pointer = {};

  Place key(std::string_view name) const;
  Place item(std::size_t index) const;
};

/// What one reading of a file finds out beside the values: problems and lines. At most kMaxProblems are kept.
class Report {
 public:
  static constexpr std::size_t kMaxProblems = 1'000;

  Report(std::string file, std::string folder) : file_(std::move(file)), folder_(std::move(folder)) {}

  /// The folder that relative paths start from.
  const std::string& folder() const { return folder_; }
  void problem(int line, const Place& place, std::string message);
  void remember_line(const Place& place, int line) { lines_.insert_or_assign(place.pointer, line); }

  /// By line, each one once.
  std::vector<Problem> take_problems();
  std::map<std::string, int, std::less<>> take_lines() { return std::move(lines_); }

 private:
  std::string file_;
  std::string folder_;
  std::vector<Problem> problems_;
  std::map<std::string, int, std::less<>> lines_;
};

}  // namespace fermata::config
