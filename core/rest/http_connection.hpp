#pragma once
// Private to the HTTP server: one connection and its coroutine.

#include "config/config.hpp"
#include "rest/http_metrics.hpp"
#include "rest/http_parser.hpp"
#include "rest/router.hpp"
#include "telemetry/log.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::rest {

// Typed all the way: a type-erased executor costs a third of the throughput.
using IoExecutor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, IoExecutor>;
using Awaitable = boost::asio::awaitable<void, IoExecutor>;
inline constexpr boost::asio::use_awaitable_t<IoExecutor> kAwait{};

/// What all connections of a server share. Confined to the server's thread, but for what is const.
struct ServerContext {
  const config::RestConfig config;
  const Router& router;
  telemetry::Log& log;
  HttpMetrics metrics;
  /// Shared with answers that outlive the server: they may still post to it, in vain.
  std::shared_ptr<boost::asio::io_context> io;
  bool draining = false;   ///< finish the requests in hand, take no more
  std::string date = {};   ///< "Sun, 22 Nov 2026 08:35:12 GMT"
  std::time_t date_s = 0;  ///< the second that `date` is of

  void update_date();
};

/// One connection: reads a request, has it handled, writes the answer, in turn. Confined to the server's thread; alive as
/// long as its coroutine.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// @param refusal  if set, the first request is answered with it, unseen, and the connection closed.
  Connection(ServerContext& server, Socket socket, std::string peer, std::optional<HttpResponse> refusal);

  Awaitable run();

  /// Ends what has lasted too long.
  void sweep(Time now);
  /// ServerContext::draining was set.
  void drain();
  /// Closes now, whatever is going on.
  void abort();
  /// The answer to the exchange of that number; ignored if that has been answered already.
  void deliver(std::uint64_t exchange, HttpResponse response);

 private:
  enum class Phase { kIdle, kReading, kHandling, kWriting, kLingering };
  enum class Parse { kNeedMore, kComplete, kRefused };

  void enter(Phase phase, Time now, std::chrono::milliseconds limit);
  void enter(Phase phase, std::chrono::milliseconds limit);
  void begin_request();
  Parse parse();
  bool check_header();
  void set_refusal(HttpResponse response);
  Parse refuse(int status, std::string_view detail);
  Parse refuse_malformed(const boost::beast::error_code& error);
  bool after_read(std::size_t size, const boost::beast::error_code& error);
  bool wants_continue();
  void dispatch(Time now);
  Awaitable wait_for_answer();
  void format_head();
  Awaitable write_answer();
  Awaitable linger();

  ServerContext& server_;
  Socket socket_;
  const std::string peer_;
  std::optional<HttpResponse> refusal_;

  Phase phase_ = Phase::kIdle;
  Time deadline_;
  bool expired_ = false;    // the sweep ended this phase
  bool keep_alive_ = true;  // after the answer in hand
  bool client_gone_ = false;

  boost::beast::flat_buffer buffer_;
  std::shared_ptr<ReceivedRequest> request_;
  std::optional<RequestParser> parser_;
  std::size_t header_bytes_ = 0;
  bool continue_sent_ = false;

  std::uint64_t exchange_ = 0;  // number of the request in hand
  bool answered_ = false;
  HttpResponse response_;
  std::string head_;              // reused
  std::function<void()> waiter_;  // resumes the coroutine that waits for a late answer
};

}  // namespace fermata::rest
