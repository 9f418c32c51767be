#include "integration/zookeeper_admin.hpp"

#include "contract/eventually.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace fermata::testing {
namespace {

int connect_to(const std::string& server) {
  const auto colon = server.rfind(':');
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(server.substr(0, colon).c_str(), server.substr(colon + 1).c_str(), &hints, &found) != 0)
    throw std::runtime_error("no address for " + server);
  const int socket = ::socket(found->ai_family, SOCK_STREAM, 0);
  const bool connected = ::connect(socket, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (connected) return socket;
  ::close(socket);
  throw std::runtime_error("no connection to " + server);
}

/// ZooKeeper derives a session's password from its id, with a constant and Java's random numbers.
void fill_password(clientid_t& id) {
  constexpr std::uint64_t kSecret = 0xB3415C00;
  constexpr std::uint64_t kFactor = 0x5DEECE66D;
  constexpr std::uint64_t kMask = (1ull << 48) - 1;
  std::uint64_t seed = ((static_cast<std::uint64_t>(id.client_id) ^ kSecret) ^ kFactor) & kMask;
  for (std::size_t i = 0; i < sizeof id.passwd; i += 4) {
    seed = (seed * kFactor + 0xB) & kMask;
    const auto number = static_cast<std::uint32_t>(seed >> 16);
    for (std::size_t j = 0; j < 4; ++j) id.passwd[i + j] = static_cast<char>(number >> (8 * j));
  }
}

}  // namespace

std::string four_letters(const std::string& server, const std::string& word, std::chrono::seconds at_most) {
  const int socket = connect_to(server);
  const timeval timeout{.tv_sec = at_most.count(), .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  std::string answer;
  if (::send(socket, word.data(), word.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(word.size())) {
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::recv(socket, buffer.data(), buffer.size(), 0)) > 0;)
      answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(socket);
  return answer;
}

std::int64_t owner_of(const std::string& server, const std::string& path) {
  std::istringstream lines(four_letters(server, "dump"));
  std::int64_t session = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0x")) session = static_cast<std::int64_t>(std::strtoull(line.c_str(), nullptr, 16));
    if (line == "\t" + path) return session;
  }
  return 0;
}

long requests_of(const std::string& server, std::int64_t session) {
  std::ostringstream wanted;
  wanted << "sid=0x" << std::hex << session << ",";
  std::istringstream lines(four_letters(server, "cons"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(wanted.str()) == std::string::npos) continue;
    const std::string field = "recved=";
    return std::atol(line.c_str() + line.find(field) + field.size());
  }
  throw std::runtime_error("the server has no connection of session " + wanted.str());
}

void expire(const std::string& server, std::int64_t session) {
  clientid_t id{};
  id.client_id = session;
  fill_password(id);
  // Until it is refused as expired: the client whose session it is wants it back, and may have it again before it is closed.
  const bool ended = eventually([&] {
    const auto ignore = [](zhandle_t*, int, int, const char*, void*) {};
    zhandle_t* handle = zookeeper_init2(server.c_str(), ignore, 10'000, &id, nullptr, ZOO_NO_LOG_CLIENTENV, [](const char*) {});
    eventually([&] { return zoo_state(handle) == ZOO_CONNECTED_STATE || zoo_state(handle) == ZOO_EXPIRED_SESSION_STATE; });
    const bool expired = zoo_state(handle) == ZOO_EXPIRED_SESSION_STATE;
    zookeeper_close(handle);
    return expired;
  });
  if (!ended) throw std::runtime_error("the session could not be ended");
}

}  // namespace fermata::testing
