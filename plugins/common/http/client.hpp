#pragma once

#include "http/endpoint.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::http {

struct ClientOptions {
  std::size_t max_connections = 64;                      ///< open at one time; a request waits for one, at most `connect_timeout`
  std::chrono::milliseconds connect_timeout{5'000};      ///< name look-up, TCP and TLS together
  std::chrono::milliseconds first_byte_timeout{60'000};  ///< from the end of the request to the head of the answer
  std::chrono::milliseconds continue_wait{1'000};        ///< for `100 Continue`, before a large body is sent without it
  std::chrono::milliseconds idle_timeout{30'000};        ///< without a byte in the middle of a body, either way
  std::chrono::milliseconds keep_alive{15'000};  ///< an unused connection is not used again after so long, and closed by the next call
  std::string ca_file = {};                      ///< PEM bundle that the server's certificate must lead to; empty: the system's
  bool verify_peer = true;                       ///< certificate and host name; false only for tests
};

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A body on its way out. Called on the thread that sends.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next bytes; 0 at the end. An error ends the request, and its connection with it.
  virtual Result<std::size_t> read(std::span<char> buffer) = 0;
  /// Goes back to the first byte, so that the request can be sent again. False: it cannot.
  virtual bool rewind() { return false; }
};

/// A body that is in memory; borrowed.
class MemoryBody final : public BodySource {
 public:
  explicit MemoryBody(std::string_view data) : data_(data) {}
  Result<std::size_t> read(std::span<char> buffer) override;
  bool rewind() override;

 private:
  std::string_view data_;
  std::size_t at_ = 0;
};

struct Request {
  std::string method = "GET";
  std::string target = "/";  ///< path and query as they go over the wire, percent-encoded, after the endpoint's base path
  Headers headers = {};      ///< but Host (unless given here), Content-Length and Connection, which the client writes
  std::uint64_t content_length = 0;
  BodySource* body = nullptr;  ///< borrowed; null: none. Exactly `content_length` bytes, or the request fails.
  /// True: sending it twice does no harm, so a request that died with a kept connection is sent once more by itself.
  bool idempotent = true;
  std::chrono::milliseconds first_byte_timeout{0};  ///< 0: the client's
};

class Pool;  // private
class Client;

/// An answer whose body is still on the wire. Movable. Threads: one at a time.
/// A body that is read to its end gives the connection back to the pool; any other end closes it.
class Response {
 public:
  Response(Response&&) noexcept;
  Response& operator=(Response&&) noexcept;
  ~Response();

  int status() const;
  /// The first header of that name, in whatever case.
  std::optional<std::string> header(std::string_view name) const;
  const Headers& headers() const;
  /// nullopt: not told; the body ends as its framing says.
  std::optional<std::uint64_t> content_length() const;

  /// The next bytes of the body, chunked coding undone; 0 at the end. Blocks, at most `idle_timeout`.
  /// kUnavailable: cut off, also when fewer bytes came than were announced.
  Result<std::size_t> read(std::span<char> buffer);
  /// The whole body. kResourceExhausted if it is longer than `limit` bytes.
  Result<std::string> read_all(std::size_t limit);

 private:
  friend class Client;
  struct State;
  explicit Response(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// HTTP/1.1 (RFC 9112) to one endpoint over a pool of kept connections. A call blocks its thread and nobody else's, in poll(2)
/// on its own socket, and moves bytes there itself; no thread stands behind it but, while a name is looked up, the resolver's.
/// A head of an answer is at most 64 KiB. A body over 1 MiB is announced by `Expect: 100-continue`, waited for `continue_wait`,
/// and not any more once the server was seen to pass over it.
///
/// Threads: [any]. Responses may outlive the Client. The destructor waits for a name look-up that still runs.
/// Errors:  kUnavailable: not reached, cut off, or timed out, naming the endpoint and what was being done; kCancelled is
///          never used. kInvalidArgument: a request that cannot be sent, or a CA file that cannot be read. Whatever the server answers is a
///          Response, 500 as well.
class Client {
 public:
  Client(Endpoint endpoint, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends, and returns with the head of the answer. An error of the body's source is returned as it is. An answer that
  /// comes before the body was sent whole (a refusal) is returned as well; its connection is then not kept.
  Result<Response> send(const Request& request);

  /// Ends all requests that run, with kUnavailable, and refuses new ones until `resume`. [any]
  void interrupt();
  void resume();

  const Endpoint& endpoint() const;
  /// Connections that are open, in use or kept.
  std::size_t connections() const;

 private:
  std::shared_ptr<Pool> pool_;
};

}  // namespace fermata::http
