#include "version_id.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fermata::ingestion {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::size_t kShortId = 27;
constexpr std::size_t kNumber = 10;        // digits of each of the two numbers in front
constexpr std::size_t kEncodedNumber = 6;  // what they become
constexpr std::size_t kEncodedText = 20;   // what the rest becomes

std::string encode_number(std::string_view digits) {
  std::uint64_t number = 0;
  for (const char digit : digits) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  std::string out(kEncodedNumber, '0');
  for (auto place = out.rbegin(); place != out.rend(); ++place, number /= kDigits.size()) *place = kDigits[number % kDigits.size()];
  return out;
}

/// The bytes as one big-endian number; each zero byte in front is one '0'.
std::string encode_text(std::string_view bytes) {
  std::vector<unsigned> digits;  // the last one first
  for (const char byte : bytes) {
    unsigned carry = static_cast<unsigned char>(byte);
    for (auto& digit : digits) {
      carry += digit << 8;
      digit = carry % static_cast<unsigned>(kDigits.size());
      carry /= static_cast<unsigned>(kDigits.size());
    }
    for (; carry > 0; carry /= static_cast<unsigned>(kDigits.size())) digits.push_back(carry % static_cast<unsigned>(kDigits.size()));
  }
  std::string out(std::min(bytes.find_first_not_of('\0'), bytes.size()), '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) out += kDigits[*digit];
  if (out.size() < kEncodedText) out.insert(0, kEncodedText - out.size(), '0');
  return out;
}

}  // namespace

std::string encode_version_id(std::string_view internal) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (internal.size() == kShortId && std::all_of(internal.begin(), internal.begin() + 2 * kNumber, is_digit))
    return encode_number(internal.substr(0, kNumber)) + encode_number(internal.substr(kNumber, kNumber)) +
           encode_text(internal.substr(2 * kNumber));
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(internal.size() * 2);
  for (const char c : internal) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

}  // namespace fermata::ingestion
