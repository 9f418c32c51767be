#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace fermata::test {

/// One connection as the server's script sees it. Blocks; every wait ends after 10 s at the latest, then in an exception.
class Peer {
 public:
  Peer(int fd, SSL* tls) : fd_(fd), tls_(tls) {}

  /// Up to and with the blank line; "" when the client has closed.
  std::string read_head();
  std::string read_exactly(std::size_t size);
  /// A head, and the body that its Content-Length tells.
  std::string read_request();
  void write(std::string_view data);
  /// Returns once the client has closed its side; what comes before that is thrown away.
  void wait_for_close();
  /// Closes so that the client sees a reset.
  void reset();

 private:
  /// Appends what comes next to `input_`; false at the end.
  bool receive();

  int fd_;
  SSL* tls_;
  std::string input_;
};

/// A server on a free port of 127.0.0.1 that does what a script says, on a thread per connection.
///
/// Threads: the script runs on the connections' threads; the destructor joins them.
class ScriptedServer {
 public:
  /// @param number  of the connection, from 1. When the script returns, the connection is closed.
  using Script = std::function<void(Peer&, int number)>;

  /// @param tls  null: none.
  explicit ScriptedServer(Script script, SSL_CTX* tls = nullptr);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// Connections that were accepted.
  int connections() const { return connections_; }

 private:
  void accept();
  void serve(int fd, int number);

  const Script script_;
  SSL_CTX* const tls_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::list<std::thread> threads_;  // touched by the accepting thread alone until it was joined
  std::thread acceptor_;
};

}  // namespace fermata::test
