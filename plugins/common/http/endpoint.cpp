#include "http/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fermata::http {

namespace {

Status invalid(std::string_view url, std::string_view what) {
  return {Code::kInvalidArgument, "'" + std::string(url) + "' is no endpoint: " + std::string(what)};
}

bool printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::string bracketed(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

/// Cuts the scheme off `rest`; false: there is none that we speak.
bool take_scheme(std::string_view& rest, Endpoint& endpoint) {
  for (const bool tls : {false, true}) {
    const std::string_view scheme = tls ? "https://" : "http://";
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    endpoint.tls = tls;
    endpoint.port = tls ? 443 : 80;
    return true;
  }
  return false;
}

/// Cuts the host off `authority` and leaves "" or ":port"; false: its brackets do not match.
bool take_host(std::string_view& authority, std::string& host) {
  if (!authority.starts_with('[')) {
    host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(host.size());
    return host.find_first_of("[]") == std::string::npos;
  }
  const std::size_t end = authority.find(']');
  if (end == std::string_view::npos) return false;
  host = authority.substr(1, end - 1);
  authority.remove_prefix(end + 1);
  return host.find(':') != std::string::npos;
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view url) {
  Endpoint endpoint;
  std::string_view rest = url;
  if (!take_scheme(rest, endpoint)) return invalid(url, "it must begin with http:// or https://");
  if (!printable_ascii(rest)) return invalid(url, "blanks, control characters and bytes beyond ASCII cannot stand in it");
  if (rest.find_first_of("?#") != std::string_view::npos) return invalid(url, "it takes no query and no fragment");
  std::string_view authority = rest.substr(0, rest.find('/'));
  std::string_view path = rest.substr(authority.size());
  if (const auto at = authority.rfind('@'); at != std::string_view::npos)  // what is before it is not for logs
    return invalid(std::string(url.substr(0, url.size() - rest.size())) + "***" + std::string(rest.substr(at)),
                   "credentials do not stand in it");
  if (!take_host(authority, endpoint.host)) return invalid(url, "the host's brackets belong around an IPv6 address");
  if (endpoint.host.empty()) return invalid(url, "the host is missing");
  if (!authority.empty()) {
    const auto port = authority.starts_with(':') ? parse_port(authority.substr(1)) : std::nullopt;
    if (!port) return invalid(url, "the port must be a number from 1 to 65535");
    endpoint.port = *port;
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  endpoint.base_path = path;
  return endpoint;
}

std::string Endpoint::authority() const {
  const bool usual = port == (tls ? 443 : 80);
  return usual ? bracketed(host) : bracketed(host) + ":" + std::to_string(port);
}

std::string Endpoint::text() const { return (tls ? "https://" : "http://") + bracketed(host) + ":" + std::to_string(port); }

}  // namespace fermata::http
