#pragma once

#include "base/status.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::rest {

/// Which peers may speak to us: addresses and CIDR ranges, IPv4 and IPv6. A value; reading it is [any].
class AllowList {
 public:
  /// An IPv6 address in network order; IPv4 as ::ffff:a.b.c.d, which is how a dual-stack socket shows it.
  using Address = std::array<std::uint8_t, 16>;

  /// Loopback is always allowed. kInvalidArgument naming the entry that is neither "10.0.0.0/8", "2001:db8::/32" nor an address.
  static Result<AllowList> parse(const std::vector<std::string>& entries);

  bool allows(const Address& peer) const;

 private:
  struct Network {
    Address address;
    unsigned bits = 128;
    bool v4 = false;
  };
  static Result<Network> parse_network(std::string_view entry);

  std::vector<Network> networks_;
};

}  // namespace fermata::rest
