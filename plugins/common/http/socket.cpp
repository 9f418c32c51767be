#include "http/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>

namespace fermata::http {

namespace {

std::string error_text(int error) { return std::system_category().message(error); }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

/// For poll; rounded up, so that a wait is not woken just before its deadline to spin through the rest.
int milliseconds_until(Deadline deadline) {
  const std::int64_t left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

}  // namespace

Socket::~Socket() { close(); }

Status Socket::connect(std::span<const Address> addresses, Deadline deadline) {
  Status status(Code::kUnavailable, "no address");
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Deadline now = Clock::now();
    status = connect_to(addresses[i], now + (deadline - now) / static_cast<std::int64_t>(addresses.size() - i));
    if (status || interrupted()) break;
    close();
  }
  return status;
}

Status Socket::connect_to(const Address& address, Deadline deadline) {
  if (!open(address.storage.ss_family)) return {Code::kUnavailable, interrupted_ ? "interrupted" : "no socket: " + error_text(errno)};
  int error = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    if (wait(POLLOUT, deadline) == 0) return {Code::kUnavailable, "timed out"};
    socklen_t size = sizeof(error);
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (interrupted_) return {Code::kUnavailable, "interrupted"};
  if (error != 0) return {Code::kUnavailable, error_text(error)};
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return {};
}

bool Socket::open(int family) {
  const std::lock_guard lock(mutex_);
  if (interrupted_) return false;
  fd_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd_ >= 0;
}

void Socket::close() {
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Socket::interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

Io Socket::read(std::span<char> buffer) { return receive(buffer, 0); }

Io Socket::peek(std::span<char> buffer) { return receive(buffer, MSG_PEEK); }

Io Socket::receive(std::span<char> buffer, int flags) {
  const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), flags);
  if (size > 0) return {.kind = Io::Kind::kBytes, .size = static_cast<std::size_t>(size)};
  if (size == 0) return {.kind = Io::Kind::kEnd};
  if (would_block(errno)) return {.kind = Io::Kind::kWantsRead};
  return {.kind = Io::Kind::kError, .text = error_text(errno)};
}

Io Socket::write(std::string_view data) {
  const ssize_t size = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
  if (size > 0) return {.kind = Io::Kind::kBytes, .size = static_cast<std::size_t>(size)};
  if (size == 0 || would_block(errno)) return {.kind = Io::Kind::kWantsWrite};
  return {.kind = Io::Kind::kError, .text = error_text(errno)};
}

short Socket::wait(short events, Deadline deadline) const {
  pollfd one{.fd = fd_, .events = events, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&one, 1, milliseconds_until(deadline));
  } while ((ready < 0 && errno == EINTR) || (ready == 0 && Clock::now() < deadline));
  return ready == 0 ? short{0} : one.revents;
}

}  // namespace fermata::http
