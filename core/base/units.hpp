#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata {

/// "500ms", "30s", "5m", "6h", "7d": digits and one unit. nullopt for anything else, and beyond 100 years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The largest unit that divides it, e.g. "90s".
std::string format_duration(std::chrono::milliseconds duration);

/// "65536", "64KiB", "16MiB", "1GiB", "2TiB". nullopt for anything else, and beyond 2^62.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace fermata
