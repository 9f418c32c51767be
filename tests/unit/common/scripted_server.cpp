#include "scripted_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace fermata::test {

bool Peer::receive() {
  pollfd one{.fd = fd_, .events = POLLIN, .revents = 0};
  if ((tls_ == nullptr || SSL_pending(tls_) == 0) && ::poll(&one, 1, 10'000) <= 0) throw std::runtime_error("the client sends nothing");
  std::array<char, 65'536> buffer;
  const auto size =
      tls_ != nullptr ? SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size())) : ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (size > 0) input_.append(buffer.data(), static_cast<std::size_t>(size));
  return size > 0;
}

std::string Peer::read_head() {
  std::size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!receive()) return "";
  }
  std::string head = input_.substr(0, end + 4);
  input_.erase(0, end + 4);
  return head;
}

std::string Peer::read_exactly(std::size_t size) {
  while (input_.size() < size) {
    if (!receive()) throw std::runtime_error("the client closed in the middle");
  }
  std::string data = input_.substr(0, size);
  input_.erase(0, size);
  return data;
}

std::string Peer::read_request() {
  std::string head = read_head();
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? head : head + read_exactly(std::stoul(head.substr(at + 16)));
}

void Peer::write(std::string_view data) {
  while (!data.empty()) {
    const auto size =
        tls_ != nullptr ? SSL_write(tls_, data.data(), static_cast<int>(data.size())) : ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (size <= 0) return;  // the client has left, as some tests want it to
    data.remove_prefix(static_cast<std::size_t>(size));
  }
}

void Peer::wait_for_close() {
  while (receive()) input_.clear();
}

void Peer::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

ScriptedServer::ScriptedServer(Script script, SSL_CTX* tls) : script_(std::move(script)), tls_(tls) {
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL's server side writes with write(2)
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port to listen on");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

ScriptedServer::~ScriptedServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

void ScriptedServer::accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    threads_.emplace_back([this, fd, number = ++connections_] { serve(fd, number); });
  }
}

void ScriptedServer::serve(int fd, int number) {
  const std::unique_ptr<SSL, void (*)(SSL*)> tls(tls_ != nullptr ? SSL_new(tls_) : nullptr, SSL_free);
  if (tls) SSL_set_fd(tls.get(), fd);
  if (!tls || SSL_accept(tls.get()) == 1) {
    Peer peer(fd, tls.get());
    try {
      script_(peer, number);
    } catch (const std::runtime_error&) {  // the client's part of the test fails
    }
  }
  ::close(fd);
}

}  // namespace fermata::test
