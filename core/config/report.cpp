#include "config/report.hpp"

#include <algorithm>
#include <tuple>

namespace fermata::config {

Place Place::key(std::string_view name) const {
  Place place{path, pointer + "/"};
  if (!path.empty()) place.path += '.';
  place.path += name;
  for (const char c : name) {
    if (c == '~')
      place.pointer += "~0";
    else if (c == '/')
      place.pointer += "~1";
    else
      place.pointer += c;
  }
  return place;
}

Place Place::item(std::size_t index) const {
  const std::string number = std::to_string(index);
  return {path + "[" + number + "]", pointer + "/" + number};
}

void Report::problem(int line, const Place& place, std::string message) {
  if (problems_.size() < kMaxProblems)
    problems_.push_back({file_, line, place.path, std::move(message)});
  else if (problems_.size() == kMaxProblems)
    problems_.push_back({file_, line, "", "and more: only the first " + std::to_string(kMaxProblems) + " problems are shown"});
}

std::vector<Problem> Report::take_problems() {
  const auto key = [](const Problem& problem) { return std::tie(problem.line, problem.path, problem.message); };
  std::ranges::sort(problems_, {}, key);
  const auto same = [&](const Problem& a, const Problem& b) { return key(a) == key(b); };
  problems_.erase(std::unique(problems_.begin(), problems_.end(), same), problems_.end());
  return std::move(problems_);
}

}  // namespace fermata::config
