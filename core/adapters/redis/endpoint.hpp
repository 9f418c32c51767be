#pragma once

#include "base/status.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::redis {

/// Where a server listens: a TCP port, or a Unix socket if `path` is not empty.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string path;

  /// As in the configuration.
  std::string text() const;
};

/// Reads "host:port", "[::1]:port" or "unix:/path". kInvalidArgument, naming the text, if it is neither.
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace fermata::redis
