#include "config/accepts.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace fermata::config {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

bool contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

/// At least one letter, digit, '.', '_' or '-', and nothing else.
bool is_word(std::string_view text) {
  const auto allowed = [](char c) { return contains(kLower, c) || contains(kUpper, c) || contains(kDigits, c) || contains("._-", c); };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

/// 32, 128, or 0 if it is no address.
int address_bits(const std::string& text) {
  std::array<unsigned char, 16> parsed{};
  if (::inet_pton(AF_INET, text.c_str(), parsed.data()) == 1) return 32;
  return ::inet_pton(AF_INET6, text.c_str(), parsed.data()) == 1 ? 128 : 0;
}

}  // namespace

bool is_not_empty(const std::string& text) { return !text.empty() && !has_control(text); }

bool is_address(const std::string& text) { return address_bits(text) != 0 && !has_control(text); }

bool is_address_range(const std::string& text) {
  const auto slash = text.find('/');
  const int bits = address_bits(text.substr(0, slash));
  if (slash == std::string::npos || bits == 0) return bits != 0;
  int prefix = -1;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + slash + 1, end, prefix);
  return parsed.ec == std::errc() && parsed.ptr == end && prefix >= 0 && prefix <= bits;
}

bool is_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || text.size() > 260) return false;
  std::string host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (address_bits(host) != 128) return false;
  } else if (!is_word(host)) {
    return false;
  }
  int port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  return parsed.ec == std::errc() && parsed.ptr == end && port >= 1 && port <= 65'535;
}

bool is_endpoint_or_socket(const std::string& text) {
  constexpr std::string_view kSocket = "unix:/";
  constexpr std::size_t kLongestPath = 107;  // sockaddr_un's
  if (!text.starts_with(kSocket)) return is_endpoint(text);
  return text.size() > kSocket.size() && text.size() - 5 <= kLongestPath && !has_control(text);
}

bool is_chroot(const std::string& text) { return text.empty() || is_state_path(text); }

bool is_topic_prefix(const std::string& text) { return text.size() <= 64 && (text.empty() || is_word(text)); }

bool is_key_prefix(const std::string& text) { return text.size() <= 64 && !has_control(text); }

bool is_node_id(const std::string& text) { return text.size() <= 128 && text != "." && text != ".." && is_word(text); }

bool is_service_name(const std::string& text) {
  constexpr std::array<std::string_view, 4> kRouteWords{"backbeat", "healthcheck", "metrics", "monitoring"};
  const auto allowed = [](char c) { return contains(kLower, c) || contains(kDigits, c) || contains("_-", c); };
  return !text.empty() && text.size() <= 64 && contains(kLower, text.front()) && std::ranges::all_of(text, allowed) &&
         std::ranges::find(kRouteWords, text) == kRouteWords.end();
}

bool is_location_name(const std::string& text) {
  return !text.empty() && text.size() <= 255 && !contains(text, '/') && !has_control(text) && text != "all" && text != "." && text != "..";
}

bool is_state_path(const std::string& text) {
  if (text.size() < 2 || text.front() != '/' || has_control(text)) return false;
  std::string_view rest(text);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto part = rest.substr(0, rest.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    rest.remove_prefix(part.size());
  }
  return true;
}

}  // namespace fermata::config
