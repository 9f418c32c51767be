#include "rest/http_connection.hpp"

#include "rest/errors.hpp"
#include "rest/query.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <exception>
#include <utility>

namespace fermata::rest {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::beast::error_code;
using HttpError = boost::beast::http::error;

constexpr std::size_t kReadBytes = 8u << 10;
constexpr std::chrono::milliseconds kLingerTime{1'000};

/// The promise to answer one request. Outlives its connection and its server if a handler keeps it so long.
class Exchange {
 public:
  Exchange(std::shared_ptr<asio::io_context> io, std::weak_ptr<Connection> connection, std::uint64_t number)
      : io_(std::move(io)), connection_(std::move(connection)), number_(number) {}
  ~Exchange() { answer({.status = 500, .body = R"({"InternalError":true,"code":500,"description":"the handler dropped the request"})"}); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void answer(HttpResponse response) {
    if (answered_.exchange(true)) return;
    if (io_->get_executor().running_in_this_thread()) {
      if (const auto connection = connection_.lock()) connection->deliver(number_, std::move(response));
      return;
    }
    asio::post(*io_, [connection = connection_, number = number_, response = std::move(response)]() mutable {
      if (const auto live = connection.lock()) live->deliver(number, std::move(response));
    });
  }

 private:
  std::shared_ptr<asio::io_context> io_;
  std::weak_ptr<Connection> connection_;
  std::uint64_t number_;
  std::atomic<bool> answered_{false};
};

/// Whether text may stand in a header line: a plugin's mistake must not become a header of its own.
bool is_header_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; });
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
  if (value.empty() || !is_header_safe(name) || !is_header_safe(value)) return;
  head.append(name).append(": ").append(value).append("\r\n");
}

bool has_body(int status) { return status != 204 && status != 304; }

}  // namespace

void ServerContext::update_date() {
  const std::time_t now = std::time(nullptr);
  if (now == date_s) return;
  date_s = now;
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  date.assign(text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc));
}

Connection::Connection(ServerContext& server, Socket socket, std::string peer, std::optional<HttpResponse> refusal)
    : server_(server), socket_(std::move(socket)), peer_(std::move(peer)), refusal_(std::move(refusal)) {
  enter(Phase::kIdle, server_.config.read_timeout);
}

Awaitable Connection::run() {
  while (keep_alive_) {
    begin_request();
    Parse parsed = parse();
    while (parsed == Parse::kNeedMore) {
      ErrorCode error;
      if (wants_continue()) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(socket_, asio::buffer(kContinue), asio::redirect_error(kAwait, error));
      }
      const std::size_t size = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), asio::redirect_error(kAwait, error));
      if (!after_read(size, error)) co_return;
      parsed = expired_ ? refuse(408, "the request did not arrive whole within the read timeout") : parse();
    }
    const Time started = std::chrono::steady_clock::now();
    if (parsed == Parse::kComplete) {
      dispatch(started);
      if (!answered_) co_await wait_for_answer();
    }
    format_head();
    co_await write_answer();
    const Time finished = std::chrono::steady_clock::now();
    server_.metrics.answered(request_->method, response_.status, finished - started);
    enter(Phase::kIdle, finished, server_.config.idle_timeout);
    keep_alive_ = keep_alive_ && !server_.draining;  // drain() passes over a connection that is writing
  }
  if (!client_gone_) co_await linger();
}

void Connection::enter(Phase phase, Time now, std::chrono::milliseconds limit) {
  phase_ = phase;
  deadline_ = now + limit;
  expired_ = false;
}

void Connection::enter(Phase phase, std::chrono::milliseconds limit) { enter(phase, std::chrono::steady_clock::now(), limit); }

void Connection::begin_request() {
  request_ = std::make_shared<ReceivedRequest>(peer_);
  parser_.emplace(*request_, static_cast<std::uint32_t>(server_.config.max_header_bytes), server_.config.max_body_bytes);
  header_bytes_ = 0;
  continue_sent_ = false;
  answered_ = false;
  response_ = {};
  if (buffer_.size() > 0) enter(Phase::kReading, server_.config.read_timeout);
}

Connection::Parse Connection::parse() {
  while (!parser_->is_done()) {
    if (buffer_.size() == 0) return Parse::kNeedMore;
    const bool in_header = !parser_->is_header_done();
    ErrorCode error;
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (in_header) header_bytes_ += used;
    const std::size_t waiting = parser_->is_header_done() ? 0 : buffer_.size();
    if (header_bytes_ + waiting > server_.config.max_header_bytes) return refuse_malformed(HttpError::header_limit);
    if (error == HttpError::need_more) {
      const bool endless = buffer_.size() > server_.config.max_header_bytes;  // a chunk header, since headers were checked
      return endless ? refuse_malformed(HttpError::bad_chunk) : Parse::kNeedMore;
    }
    if (error) return refuse_malformed(error);
    if (in_header && parser_->is_header_done() && !check_header()) return Parse::kRefused;
  }
  return Parse::kComplete;
}

bool Connection::check_header() {
  if (refusal_) {
    set_refusal(std::move(*refusal_));
    return false;
  }
  if (parser_->lacks_host()) return refuse(400, "an HTTP/1.1 request has exactly one Host header") == Parse::kComplete;
  if (parser_->unknown_transfer_encoding()) return refuse(501, "a request's Transfer-Encoding is 'chunked' or absent") == Parse::kComplete;
  if (request_->is_cross_site())
    return refuse(403, "Origin names another host than Host: changes are not accepted from the pages of other sites") == Parse::kComplete;
  if (parser_->unknown_expectation()) return refuse(417, "only 'Expect: 100-continue' is understood") == Parse::kComplete;
  return true;
}

void Connection::set_refusal(HttpResponse response) {
  response_ = std::move(response);
  answered_ = true;
  keep_alive_ = false;
}

Connection::Parse Connection::refuse(int status, std::string_view detail) {
  set_refusal(error_response(request_->raw_path, status, detail));
  return Parse::kRefused;
}

Connection::Parse Connection::refuse_malformed(const ErrorCode& error) {
  if (error == HttpError::header_limit)
    return refuse(431, "the header is larger than rest.max_header_bytes (" + std::to_string(server_.config.max_header_bytes) + " bytes)");
  if (error == HttpError::body_limit)
    return refuse(413, "the body is larger than rest.max_body_bytes (" + std::to_string(server_.config.max_body_bytes) + " bytes)");
  return refuse(400, "this is not an HTTP/1.1 request: " + error.message());
}

bool Connection::after_read(std::size_t size, const ErrorCode& error) {
  buffer_.commit(size);
  if (expired_) return phase_ == Phase::kReading;
  if (error) return false;
  if (phase_ == Phase::kIdle) enter(Phase::kReading, server_.config.read_timeout);
  return true;
}

bool Connection::wants_continue() {
  if (continue_sent_ || !parser_->is_header_done() || !parser_->expects_continue() || !request_->body.empty()) return false;
  continue_sent_ = true;
  return true;
}

void Connection::dispatch(Time now) {
  enter(Phase::kHandling, now, server_.config.request_timeout + wait_allowance(request_->query));
  keep_alive_ = parser_->keep_alive();
  const auto exchange = std::make_shared<Exchange>(server_.io, weak_from_this(), ++exchange_);
  const auto fail = [&](std::string_view reason) {
    server_.log.error("rest", "a handler threw", {{"method", request_->method}, {"path", request_->raw_path}, {"error", reason}});
    exchange->answer(error_response(request_->raw_path, 500, "the handler failed; the log has the reason"));
  };
  try {
    server_.router.dispatch(request_, request_->raw_path, [exchange](HttpResponse response) { exchange->answer(std::move(response)); });
  } catch (const std::exception& error) {
    fail(error.what());
  } catch (...) {
    fail("unknown exception");
  }
}

Awaitable Connection::wait_for_answer() {
  co_await asio::async_initiate<const asio::use_awaitable_t<IoExecutor>, void()>(
      [this](auto handler) {
        // Not asio::any_completion_handler: assigning to one recurses without end in Boost 1.81.
        waiter_ = [kept = std::make_shared<decltype(handler)>(std::move(handler))] { std::move (*kept)(); };
      },
      kAwait);
}

void Connection::deliver(std::uint64_t exchange, HttpResponse response) {
  if (exchange != exchange_ || answered_ || phase_ != Phase::kHandling) return;
  response_ = std::move(response);
  answered_ = true;
  if (waiter_) asio::post(*server_.io, std::exchange(waiter_, nullptr));
}

void Connection::format_head() {
  if (response_.status < 200 || response_.status > 599) response_.status = 500;
  keep_alive_ = keep_alive_ && !server_.draining;
  server_.update_date();
  head_.assign("HTTP/1.1 ").append(std::to_string(response_.status)).append(" ").append(reason_phrase(response_.status)).append("\r\n");
  if (has_body(response_.status)) {
    append_header(head_, "Content-Type", response_.content_type);
    head_.append("Content-Length: ").append(std::to_string(response_.body.size())).append("\r\n");
  } else {
    response_.body.clear();
  }
  for (const auto& [name, value] : response_.headers) append_header(head_, name, value);
  head_.append("Date: ").append(server_.date);
  if (!keep_alive_)
    head_.append("\r\nConnection: close");
  else if (!parser_->is_http11())
    head_.append("\r\nConnection: keep-alive");
  head_.append("\r\n\r\n");
  if (request_->method == "HEAD") response_.body.clear();
}

Awaitable Connection::write_answer() {
  enter(Phase::kWriting, server_.config.request_timeout);
  std::array<asio::const_buffer, 2> rest{asio::buffer(head_), asio::buffer(response_.body)};  // gathered: one send, no copy
  while (asio::buffer_size(rest) > 0) {
    ErrorCode error;
    std::size_t sent = co_await socket_.async_write_some(rest, asio::redirect_error(kAwait, error));
    if (error || expired_) {
      client_gone_ = true;
      keep_alive_ = false;
      co_return;
    }
    for (auto& buffer : rest) {
      const std::size_t part = std::min(sent, buffer.size());
      buffer += part;
      sent -= part;
    }
  }
}

// Closing with unread input would send a reset, which can destroy the answer on its way: say "no more", and read until the
// client has understood.
Awaitable Connection::linger() {
  ErrorCode error;
  socket_.shutdown(Socket::shutdown_send, error);
  enter(Phase::kLingering, kLingerTime);
  while (!error && !expired_) {
    buffer_.clear();
    co_await socket_.async_read_some(buffer_.prepare(kReadBytes), asio::redirect_error(kAwait, error));
  }
}

void Connection::sweep(Time now) {
  if (now < deadline_) return;
  if (phase_ == Phase::kHandling)
    return deliver(exchange_, error_response(request_->raw_path, 503, "no answer within the request timeout; try again later"));
  expired_ = true;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Connection::drain() {
  if (phase_ != Phase::kIdle) return;
  expired_ = true;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Connection::abort() {
  keep_alive_ = false;
  client_gone_ = true;
  ErrorCode ignored;
  socket_.close(ignored);
  if (phase_ == Phase::kHandling) deliver(exchange_, {.status = 503});
}

}  // namespace fermata::rest
