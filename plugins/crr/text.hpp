#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::crr {

bool is_utf8(std::string_view text);
/// As JavaScript's encodeURIComponent.
std::string encode_uri_component(std::string_view text);
/// Decodes every %XX once; nullopt if one is malformed.
std::optional<std::string> percent_decode(std::string_view text);
/// "2026-11-22T08:35:12.830Z".
std::string format_iso_ns(std::int64_t unix_ns);
/// `text` fit for a log line: control characters and bytes that are not UTF-8 are written as \xNN.
std::string printable(std::string_view text);

}  // namespace fermata::crr
