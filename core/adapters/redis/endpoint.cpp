#include "adapters/redis/endpoint.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <charconv>

namespace fermata::redis {

namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;

Status malformed(std::string_view text) {
  return {Code::kInvalidArgument, fmt::format("'{}' is no Redis server: write host:port or unix:/path", text)};
}

}  // namespace

std::string Endpoint::text() const {
  if (!path.empty()) return fmt::format("{}{}", kUnix, path);
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  if (text.starts_with(kUnix)) {
    endpoint.path = text.substr(kUnix.size());
    if (!endpoint.path.starts_with('/') || endpoint.path.size() > kMaxPathBytes)
      return Status(Code::kInvalidArgument,
                    fmt::format("'{}': the path of a Unix socket is absolute and at most {} bytes", text, kMaxPathBytes));
    return endpoint;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (host.empty() || error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) return malformed(text);
  endpoint.host = host;
  return endpoint;
}

}  // namespace fermata::redis
