#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata {

/// "2026-11-22T08:35:12.830Z", as JavaScript's toISOString writes it.
std::string format_iso(WallTime time);

/// RFC 3339: "2026-11-22T08:35:12Z", with a fraction, or an offset such as "+01:00". nullopt for anything else, and
/// outside the years 1678 to 2261; a leap second is read as the second after it. Precision: milliseconds.
std::optional<WallTime> parse_rfc3339(std::string_view text);

std::int64_t to_unix_ms(WallTime time);
WallTime from_unix_ms(std::int64_t ms);

}  // namespace fermata
