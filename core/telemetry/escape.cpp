#include "telemetry/escape.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <cstdint>

namespace fermata::telemetry {
namespace {

void append_control(std::string& out, std::uint32_t code_point) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (code_point) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: out.append("\\u00").append(1, kHex[(code_point >> 4) & 0xF]).append(1, kHex[code_point & 0xF]);
  }
}

bool is_control(std::uint32_t code_point) { return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F); }

}  // namespace

void append_escaped(std::string& out, std::string_view text, Escape escape) {
  std::size_t used = 0;
  while (used < text.size()) {
    const Utf8Character next = decode_utf8_front(text.substr(used));
    const std::size_t size = std::max<std::size_t>(next.size, 1);
    if (used + size > kMaxEscapedBytes) {
      out += "...";
      return;
    }
    if (next.size == 0) {
      out += "\\ufffd";
    } else if (is_control(next.code_point)) {
      append_control(out, next.code_point);
    } else {
      if (escape == Escape::kQuoted && (next.code_point == '"' || next.code_point == '\\')) out += '\\';
      out.append(text, used, size);
    }
    used += size;
  }
}

}  // namespace fermata::telemetry
