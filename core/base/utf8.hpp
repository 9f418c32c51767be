#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fermata {

/// One character of UTF-8; size 0 if what stands there is malformed (overlong, a surrogate, cut short, ...).
struct Utf8Character {
  std::size_t size = 0;
  std::uint32_t code_point = 0;
};

/// The character at the front of `text`, which is not empty.
constexpr Utf8Character decode_utf8_front(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  std::uint32_t code_point = lead & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    code_point = (code_point << 6) | (byte(i) & 0x3Fu);
  }
  const bool overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (overlong || surrogate || code_point > 0x10FFFF) return {};
  return {size, code_point};
}

constexpr bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto character = decode_utf8_front(text);
    if (character.size == 0) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

}  // namespace fermata
