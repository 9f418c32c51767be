#pragma once

#include <string>
#include <string_view>

namespace fermata::telemetry {

enum class Escape {
  kText,    ///< control characters only: for a message that people read
  kQuoted,  ///< also '"' and '\': for what stands between double quotes, in text and in JSON
};

/// Appends `text` to `out` so that it stays on its line and cannot drive a terminal: control characters become \n, \t or
/// \u00XX, what is not UTF-8 becomes \ufffd. At most kMaxEscapedBytes of `text` are kept; a cut is shown as "...".
void append_escaped(std::string& out, std::string_view text, Escape escape);

constexpr std::size_t kMaxEscapedBytes = 4'096;

}  // namespace fermata::telemetry
