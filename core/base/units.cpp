#include "base/units.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace fermata {
namespace {

/// Digits, then a unit of `units`; the product, if it is at most `limit`.
template <std::size_t N>
std::optional<std::uint64_t> parse_scaled(std::string_view text, const std::array<std::pair<std::string_view, std::uint64_t>, N>& units,
                                          std::uint64_t limit) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, factor] : units)
    if (unit == name) return number <= limit / factor ? std::optional(number * factor) : std::nullopt;
  return std::nullopt;
}

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> kDurations{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 6> kSizes{
    {{"", 1}, {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}}};

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t kHundredYears = 100ull * 366 * 86'400'000;
  const auto value = parse_scaled(text, kDurations, kHundredYears);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto count = static_cast<std::uint64_t>(duration.count());
  for (auto unit = kDurations.rbegin(); unit != kDurations.rend(); ++unit)
    if (count != 0 && count % unit->second == 0) return std::to_string(count / unit->second).append(unit->first);
  return std::to_string(count) + "ms";
}

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse_scaled(text, kSizes, 1ull << 62); }

}  // namespace fermata
