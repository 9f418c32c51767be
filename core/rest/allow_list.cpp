#include "rest/allow_list.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fermata::rest {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_v4(const AllowList::Address& address) { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin()); }

bool same_bits(const AllowList::Address& a, const AllowList::Address& b, unsigned bits) {
  const unsigned bytes = bits / 8;
  if (!std::equal(a.begin(), a.begin() + bytes, b.begin())) return false;
  const unsigned left = bits % 8;
  return left == 0 || ((a[bytes] ^ b[bytes]) >> (8 - left)) == 0;
}

}  // namespace

Result<AllowList::Network> AllowList::parse_network(std::string_view entry) {
  const Status wrong(Code::kInvalidArgument,
                     "rest.allow_from: '" + std::string(entry) + "' is neither an address nor a range like 10.0.0.0/8 or 2001:db8::/32");
  const std::size_t slash = entry.find('/');
  const std::string host(entry.substr(0, slash));
  Network network{};
  network.v4 = host.find(':') == std::string::npos;
  if (network.v4) std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), network.address.begin());
  std::uint8_t* const bytes = network.address.data() + (network.v4 ? kMappedPrefix.size() : 0);
  if (inet_pton(network.v4 ? AF_INET : AF_INET6, host.c_str(), bytes) != 1) return wrong;
  const unsigned max_bits = network.v4 ? 32 : 128;
  unsigned bits = max_bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = entry.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits > max_bits) return wrong;
  }
  network.bits = bits + (128 - max_bits);
  return network;
}

Result<AllowList> AllowList::parse(const std::vector<std::string>& entries) {
  AllowList list;
  std::vector<std::string> all{"127.0.0.0/8", "::1"};
  all.insert(all.end(), entries.begin(), entries.end());
  for (const auto& entry : all) {
    auto network = parse_network(entry);
    if (!network) return network.status();
    list.networks_.push_back(*network);
  }
  return list;
}

bool AllowList::allows(const Address& peer) const {
  const bool v4 = is_v4(peer);
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const Network& network) { return network.v4 == v4 && same_bits(network.address, peer, network.bits); });
}

}  // namespace fermata::rest
