#pragma once

#include <fermata/sdk/status.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::http {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// Where an HTTP server is.
struct Endpoint {
  bool tls = false;
  std::string host;  ///< a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 80;
  std::string base_path = {};  ///< what precedes every request's path: empty, or "/base" without a slash at its end

  /// Reads "http://host[:port][/base]" or "https://...". kInvalidArgument, saying what is wrong.
  static Result<Endpoint> parse(std::string_view url);

  /// The value of `Host`: the port only if it is not the scheme's own; IPv6 in brackets.
  std::string authority() const;
  /// "https://host:port", for messages.
  std::string text() const;
  bool operator==(const Endpoint&) const = default;
};

}  // namespace fermata::http
