#include "config/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace fermata::config {
namespace {

std::string fold(std::string_view word) {
  std::string folded;
  for (const char c : word)
    if (c != '-' && c != '_') folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return folded;
}

/// How many letters must be put in, left out or changed (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view suggest(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kLongestKey = 64;
  if (word.size() > kLongestKey) return {};
  const std::string folded = fold(word);
  std::string_view best;
  std::size_t best_distance = folded.size() / 3 + 2;
  for (const auto candidate : candidates) {
    const std::size_t d = distance(folded, fold(candidate));
    if (d < best_distance && d < folded.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string join(const std::vector<std::string_view>& words) {
  std::string joined;
  for (const auto word : words) joined.append(joined.empty() ? "" : ", ").append(word);
  return joined;
}

}  // namespace fermata::config
