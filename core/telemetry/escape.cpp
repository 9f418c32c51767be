#include "telemetry/escape.hpp"

#include <algorithm>
#include <cstdint>

namespace fermata::telemetry {
namespace {

unsigned char byte_at(std::string_view text, std::size_t index) { return static_cast<unsigned char>(text[index]); }

/// The length of the well-formed UTF-8 sequence at the front of `text`, and its code point; length 0 if it is malformed.
struct Sequence {
  std::size_t size = 0;
  std::uint32_t code_point = 0;
};

Sequence decode_front(std::string_view text) {
  const unsigned char lead = byte_at(text, 0);
  if (lead < 0x80) return {1, lead};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  std::uint32_t code_point = lead & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte_at(text, i) & 0xC0u) != 0x80u) return {};
    code_point = (code_point << 6) | (byte_at(text, i) & 0x3Fu);
  }
  const bool overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  return overlong || surrogate || code_point > 0x10FFFF ? Sequence{} : Sequence{size, code_point};
}

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
    const Sequence next = decode_front(text.substr(used));
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
