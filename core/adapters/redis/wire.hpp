#pragma once

#include "adapters/redis/endpoint.hpp"
#include "adapters/redis/resp.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::redis {

/// One connection to one server, from connecting to its loss: Asio moves the bytes, hiredis parses the answers.
///
/// hiredis's own asynchronous client is not used: in subscribe mode it keeps a callback for each PING for ever, it resolves
/// names on the calling thread, and its connecting has no timeout.
///
/// Threads: confined to the thread of the io_context. Keeps itself alive until closed or lost.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  /// Called at most until close.
  struct Events {
    std::function<void()> on_connected;
    std::function<void(Reply)> on_answer;
    std::function<void(const std::string& why)> on_lost;  ///< last; also when connecting failed
  };

  static std::shared_ptr<Wire> connect(boost::asio::io_context& io, const Endpoint& endpoint, Events events);

  /// Sends after all before; what is sent in one turn of the thread goes out together. Not bounded here: callers are.
  void send(std::string_view bytes);
  void close();
  /// When something arrived last, or when the connection was made.
  std::chrono::steady_clock::time_point last_received() const { return last_received_; }

 private:
  using Socket = boost::asio::generic::stream_protocol::socket;
  struct ReaderDeleter {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };

  Wire(boost::asio::io_context& io, Events events);
  void start(const Endpoint& endpoint);
  void connect_to(const std::vector<boost::asio::generic::stream_protocol::endpoint>& addresses);
  void connected();
  void read();
  void parse(std::size_t bytes);
  void flush();
  void lost(const std::string& why);

  Events events_;
  boost::asio::ip::tcp::resolver resolver_;
  Socket socket_;
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  std::array<char, 16u << 10> in_;
  std::string out_;      // what is to be sent next
  std::string sending_;  // what is being sent
  bool flushing_ = false;
  bool closed_ = false;
  std::chrono::steady_clock::time_point last_received_;
};

}  // namespace fermata::redis
