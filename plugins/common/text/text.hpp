#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::text {

bool is_utf8(std::string_view text);
/// As JavaScript's encodeURIComponent.
std::string encode_uri_component(std::string_view text);
/// Decodes every %XX once; nullopt if one is malformed.
std::optional<std::string> percent_decode(std::string_view text);
/// "2026-11-22T08:35:12.830Z".
std::string format_iso_ns(std::int64_t unix_ns);
/// `text` fit for a log line or JSON: control characters and bytes that are not UTF-8 are written as \xNN.
/// @param limit  of the bytes of `text` that are shown; what is cut off is shown as "...".
std::string printable(std::string_view text, std::size_t limit = std::string_view::npos);
/// Reads "500ms", "30s", "5m", "6h", "7d"; nullopt if it is none, or over 10^9 of its unit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace fermata::text
