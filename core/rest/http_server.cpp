#include "rest/http_server.hpp"

#include "rest/allow_list.hpp"
#include "rest/errors.hpp"
#include "rest/http_connection.hpp"

#include <fcntl.h>
#include <pthread.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace fermata::rest {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, IoExecutor>;
using SteadyClock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, IoExecutor>;

/// Connections that are open only to be told 403 or 503; more are closed without a word.
constexpr std::size_t kMaxRefused = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};

AllowList::Address to_address(const asio::ip::address& address) {
  const auto v6 = address.is_v6() ? address.to_v6() : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
  AllowList::Address bytes{};
  const auto from = v6.to_bytes();
  std::copy(from.begin(), from.end(), bytes.begin());
  return bytes;
}

/// "10.0.0.7", also for an IPv4 peer on a dual-stack socket.
std::string peer_name(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

/// Often enough that no timeout is overdrawn by more than a quarter, at least four times a second.
std::chrono::milliseconds sweep_period(const config::RestConfig& config) {
  const auto shortest = std::min({config.read_timeout, config.idle_timeout, config.request_timeout});
  return std::clamp(shortest / 4, std::chrono::milliseconds(5), std::chrono::milliseconds(250));
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(config::RestConfig config, const Router& router, telemetry::Log& log, telemetry::Metrics& metrics)
      : io_(std::make_shared<asio::io_context>(1)),
        context_{std::move(config), router, log, HttpMetrics(metrics, log), io_},
        acceptor_(io_->get_executor()),
        accept_pause_(io_->get_executor()),
        sweep_timer_(io_->get_executor()) {}

  ~Impl() { stop(std::chrono::milliseconds(0)); }

  Status listen() {
    auto allowed = AllowList::parse(context_.config.allow_from);
    if (!allowed) return allowed.status();
    allowed_ = std::move(*allowed);
    return open_acceptor();
  }

  void start() {
    const auto log_failure = [this](std::exception_ptr error) { log_exception("a server loop ended", error); };
    asio::co_spawn(*io_, accept_loop(), log_failure);
    asio::co_spawn(*io_, sweep_loop(), log_failure);
    thread_ = std::thread([this] { run(); });
  }

  void stop(std::chrono::milliseconds drain) {
    const std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    asio::post(*io_, [this, drain] { begin_stop(drain); });
    thread_.join();
  }

  std::uint16_t port() const { return port_; }

 private:
  Status open_acceptor() {
    const auto& config = context_.config;
    const std::string where = config.address + ":" + std::to_string(config.port);
    ErrorCode error;
    tcp::resolver resolver(*io_);
    const auto found = resolver.resolve(config.address, std::to_string(config.port), tcp::resolver::passive, error);
    if (!error) {
      const tcp::endpoint endpoint = found.begin()->endpoint();
      bind(endpoint, error);
    }
    if (error)
      return {Code::kUnavailable, "REST cannot listen on " + where + ": " + error.message() + "; choose another rest.address or rest.port"};
    port_ = acceptor_.local_endpoint().port();
    return Status::ok();
  }

  void bind(const tcp::endpoint& endpoint, ErrorCode& error) {
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) fcntl(acceptor_.native_handle(), F_SETFD, FD_CLOEXEC);
    ErrorCode ignored;
    if (error) acceptor_.close(ignored);
  }

  void run() {
    pthread_setname_np(pthread_self(), "rest");
    try {
      io_->run();
    } catch (...) {
      log_exception("the server's thread ended", std::current_exception());
    }
  }

  Awaitable accept_loop() {
    while (acceptor_.is_open()) {
      ErrorCode error;
      tcp::endpoint peer;
      Socket socket = co_await acceptor_.async_accept(peer, asio::redirect_error(kAwait, error));
      if (!error) {
        admit(std::move(socket), peer.address());
      } else if (acceptor_.is_open()) {  // out of descriptors, most likely: wait until some are closed
        log_accept_error(error);
        accept_pause_.expires_after(kAcceptPause);
        co_await accept_pause_.async_wait(asio::redirect_error(kAwait, error));
      }
    }
  }

  void admit(Socket socket, const asio::ip::address& address) {
    auto refusal = refusal_for(address);
    const bool refused = refusal.has_value();
    if (refused) {
      context_.metrics.refused();
      if (refused_ == kMaxRefused) return;
      ++refused_;
    }
    ErrorCode ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    auto connection = std::make_shared<Connection>(context_, std::move(socket), peer_name(address), std::move(refusal));
    Connection& running = *connection;
    connections_.emplace(&running, connection);
    context_.metrics.connections(connections_.size());
    asio::co_spawn(*io_, running.run(), [this, connection = std::move(connection), refused](std::exception_ptr error) {
      log_exception("a connection failed", error);
      forget(connection.get(), refused);
    });
  }

  std::optional<HttpResponse> refusal_for(const asio::ip::address& address) const {
    if (!allowed_.allows(to_address(address)))
      return error_response({}, 403, "requests from " + peer_name(address) + " are not allowed; add it to rest.allow_from");
    if (connections_.size() - refused_ >= context_.config.max_connections)
      return error_response({}, 503, "all rest.max_connections are in use; try again later");
    return std::nullopt;
  }

  void forget(Connection* connection, bool refused) {
    connections_.erase(connection);
    if (refused) --refused_;
    context_.metrics.connections(connections_.size());
    if (context_.draining && connections_.empty()) sweep_timer_.cancel();
  }

  Awaitable sweep_loop() {
    const auto period = sweep_period(context_.config);
    while (!context_.draining || !connections_.empty()) {
      ErrorCode error;
      sweep_timer_.expires_after(period);
      co_await sweep_timer_.async_wait(asio::redirect_error(kAwait, error));
      const auto now = SteadyClock::now();
      for (const auto& [key, connection] : connections_) connection->sweep(now);
      if (!context_.draining || now < stop_deadline_) continue;
      for (const auto& [key, connection] : connections_) connection->abort();
    }
  }

  void begin_stop(std::chrono::milliseconds drain) {
    ErrorCode ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    context_.draining = true;
    stop_deadline_ = SteadyClock::now() + drain;
    for (const auto& [key, connection] : connections_) connection->drain();
    if (connections_.empty() || drain.count() == 0) sweep_timer_.cancel();
  }

  void log_accept_error(const ErrorCode& error) {
    const auto now = SteadyClock::now();
    if (now < next_accept_log_) return;
    next_accept_log_ = now + std::chrono::seconds(10);
    context_.log.warn("rest", "cannot accept connections", {{"error", error.message()}});
  }

  void log_exception(std::string_view what, const std::exception_ptr& exception) {
    if (!exception) return;
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      context_.log.error("rest", what, {{"error", error.what()}});
    } catch (...) {
      context_.log.error("rest", what, {{"error", "unknown exception"}});
    }
  }

  // All but port_, thread_ and stop_mutex_ are confined to the server's thread while it runs.
  std::shared_ptr<asio::io_context> io_;
  ServerContext context_;
  AllowList allowed_;
  Acceptor acceptor_;
  Timer accept_pause_;
  Timer sweep_timer_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::size_t refused_ = 0;  // of connections_
  SteadyClock::time_point stop_deadline_;
  SteadyClock::time_point next_accept_log_;
  std::uint16_t port_ = 0;
  std::mutex stop_mutex_;  // one stop at a time
  std::thread thread_;
};

HttpServer::HttpServer(config::RestConfig config, const Router& router, telemetry::Log& log, telemetry::Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), router, log, metrics)) {}
HttpServer::~HttpServer() = default;
Status HttpServer::listen() { return impl_->listen(); }
void HttpServer::start() { impl_->start(); }
void HttpServer::stop(std::chrono::milliseconds drain) { impl_->stop(drain); }
std::uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace fermata::rest
