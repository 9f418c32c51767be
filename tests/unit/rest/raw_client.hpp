#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::testing {

/// A client that says exactly what it is told, byte for byte. Every wait ends after 10 s.
class RawClient {
 public:
  /// `host`: an IPv4 address of this machine, in host order.
  explicit RawClient(std::uint16_t port, std::uint32_t host = INADDR_LOOPBACK) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(host);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }

  struct Answer {
    int status = 0;
    std::string head;
    std::string body;

    std::string header(std::string_view name) const {
      const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
      if (at == std::string::npos) return {};
      const std::size_t from = at + name.size() + 4;
      return head.substr(from, head.find("\r\n", from) - from);
    }
  };

  /// The next answer; status 0 if the connection ends before it is whole. @param body  false: there is none (HEAD).
  Answer read(bool body = true) {
    Answer answer;
    std::size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) return answer;
    answer.head = received_.substr(0, end + 4);
    received_.erase(0, end + 4);
    const std::string length = answer.header("Content-Length");
    const std::size_t size = body && !length.empty() ? std::stoul(length) : 0;
    while (received_.size() < size)
      if (!receive()) return answer;
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    answer.status = std::stoi(answer.head.substr(9, 3));
    return answer;
  }
  Answer ask(std::string_view request) { return send(request) ? read() : Answer{}; }

  /// Whether the server closes, in good order or not, without saying anything more.
  bool closed_by_server() {
    while (receive()) continue;
    return ended_ && received_.empty();
  }

 private:
  bool receive() {
    pollfd poll{fd_, POLLIN, 0};
    if (::poll(&poll, 1, 10'000) != 1) return false;
    char bytes[16 << 10];
    const auto size = ::recv(fd_, bytes, sizeof(bytes), 0);
    ended_ = size <= 0;
    if (size > 0) received_.append(bytes, static_cast<std::size_t>(size));
    return size > 0;
  }

  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace fermata::testing
