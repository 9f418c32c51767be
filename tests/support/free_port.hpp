#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <random>

namespace fermata::testing {

/// A TCP port of loopback below the range of outgoing connections, so that it is still free when its server comes back.
inline std::uint16_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(10'000, 31'999);
  while (true) {
    const auto port = static_cast<std::uint16_t>(ports(random));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool is_free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    ::close(fd);
    if (is_free) return port;
  }
}

}  // namespace fermata::testing
