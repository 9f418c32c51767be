#include "support/fault_gate.hpp"

#include <boost/asio.hpp>

#include <algorithm>
#include <array>
#include <future>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

namespace fermata::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kChunkBytes = 16 * 1024;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

/// A client, and the server's end of its connection.
struct Pair {
  explicit Pair(asio::io_context& io) : client(io), server(io) {}

  void close() {
    closed = true;
    error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
  void reset() {
    error_code ignored;
    client.set_option(asio::socket_base::linger(true, 0), ignored);
    server.set_option(asio::socket_base::linger(true, 0), ignored);
    close();
  }

  tcp::socket client;
  tcp::socket server;
  bool closed = false;
  int ended = 0;  // directions whose sender has finished
};

}  // namespace

/// What the gate's thread owns; all but call() runs there.
class FaultGate::Relay {
 public:
  Relay(const std::string& to, std::uint16_t port) : reserve_(io_), acceptor_(io_), changed_(io_) {
    const auto colon = to.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("fault gate: '" + to + "' is not host:port");
    target_ = *tcp::resolver(io_).resolve(to.substr(0, colon), to.substr(colon + 1)).begin();
    // Held for life without listening: nobody else gets the port while the gate is cut, not even an outgoing connection.
    reserve_.open(tcp::v4());
    reserve_.set_option(tcp::acceptor::reuse_address(true));
    reserve_.bind({asio::ip::address_v4::loopback(), port});
    local_ = reserve_.local_endpoint();
    changed_.expires_at(asio::steady_timer::time_point::max());
    listen();
    thread_ = std::thread([this, work = asio::make_work_guard(io_)] { io_.run(); });
  }

  ~Relay() {
    io_.stop();
    thread_.join();
  }

  std::uint16_t port() const { return local_.port(); }

  /// Runs `work` on the gate's thread and waits for it. [any]
  template <typename Work>
  auto call(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto done = task.get_future();
    asio::post(io_, [task = std::move(task)]() mutable { task(); });
    return done.get();
  }

  void pass() { change(false, {}, 0, {}); }
  void half_open() { change(true, {}, 0, {}); }
  void slow(std::chrono::milliseconds delay, std::size_t bytes_per_second) { change(false, delay, bytes_per_second, {}); }
  void reset_after(std::size_t bytes, Sender sender) { change(false, {}, 0, Budget{bytes, sender}); }
  void cut() {
    error_code ignored;
    acceptor_.close(ignored);
    for (const auto& pair : pairs_) pair->close();
    change(false, {}, 0, {}, false);
  }

  std::size_t connections() const {
    return static_cast<std::size_t>(std::count_if(pairs_.begin(), pairs_.end(), [](const auto& pair) { return !pair->closed; }));
  }

 private:
  struct Budget {
    std::size_t bytes;
    Sender sender;
  };

  void change(bool held, std::chrono::milliseconds delay, std::size_t bytes_per_second, std::optional<Budget> budget, bool open = true) {
    held_ = held;
    delay_ = delay;
    bytes_per_second_ = bytes_per_second;
    budget_ = budget;
    if (open && !acceptor_.is_open()) listen();
    changed_.cancel();
  }

  void listen() {
    acceptor_.open(tcp::v4());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(local_);
    acceptor_.listen();
    asio::co_spawn(io_, accept(), asio::detached);
  }

  asio::awaitable<void> accept() {
    while (acceptor_.is_open()) {
      auto pair = std::make_shared<Pair>(io_);
      const auto [error] = co_await acceptor_.async_accept(pair->client, kNoThrow);
      if (error == asio::error::operation_aborted) co_return;
      if (error) continue;
      if (!acceptor_.is_open()) co_return;  // it was cut after this one had come
      pairs_.insert(pair);
      asio::co_spawn(io_, connect(pair), asio::detached);
    }
  }

  asio::awaitable<void> connect(std::shared_ptr<Pair> pair) {
    co_await until_not_held();
    if (pair->closed) {
      pairs_.erase(pair);
      co_return;
    }
    const auto [error] = co_await pair->server.async_connect(target_, kNoThrow);
    if (error || pair->closed) {
      pair->reset();
      pairs_.erase(pair);
      co_return;
    }
    pair->client.set_option(tcp::no_delay(true));
    pair->server.set_option(tcp::no_delay(true));
    asio::co_spawn(io_, relay(pair, Sender::kClient), asio::detached);
    asio::co_spawn(io_, relay(pair, Sender::kServer), asio::detached);
  }

  asio::awaitable<void> relay(std::shared_ptr<Pair> pair, Sender sender) {
    auto& from = sender == Sender::kClient ? pair->client : pair->server;
    auto& to = sender == Sender::kClient ? pair->server : pair->client;
    std::array<char, kChunkBytes> buffer;
    while (!pair->closed) {
      const auto [read_error, size] = co_await from.async_read_some(asio::buffer(buffer, chunk()), kNoThrow);
      if (!read_error) co_await slow_down(size);
      co_await until_not_held();
      if (pair->closed) break;
      if (read_error) {
        finish(*pair, to, read_error);
        break;
      }
      const auto allowed = spend(sender, size);
      const auto [write_error, written] = co_await asio::async_write(to, asio::buffer(buffer, allowed.value_or(size)), kNoThrow);
      if (write_error || allowed) pair->reset();
    }
    if (pair->closed) pairs_.erase(pair);
  }

  /// One direction has ended: at its end the other may go on; at an error neither.
  static void finish(Pair& pair, tcp::socket& to, error_code error) {
    error_code ignored;
    if (error != asio::error::eof) {
      pair.reset();
    } else if (++pair.ended == 2) {
      pair.close();
    } else {
      to.shutdown(tcp::socket::shutdown_send, ignored);
    }
  }

  /// Counts `size` bytes. @return how many of them may go before the reset, if it is due now.
  std::optional<std::size_t> spend(Sender sender, std::size_t size) {
    if (!budget_ || budget_->sender != sender) return {};
    const auto left = budget_->bytes;
    if (size >= left) {
      budget_.reset();
      return left;
    }
    budget_->bytes -= size;
    return {};
  }

  std::size_t chunk() const {
    return bytes_per_second_ == 0 ? kChunkBytes : std::clamp<std::size_t>(bytes_per_second_ / 20, 1, kChunkBytes);
  }

  asio::awaitable<void> slow_down(std::size_t size) {
    std::chrono::nanoseconds wait = delay_;
    if (bytes_per_second_ > 0) wait += std::chrono::nanoseconds(std::chrono::seconds(1)) * size / bytes_per_second_;
    if (wait.count() == 0) co_return;
    asio::steady_timer timer(io_, wait);
    co_await timer.async_wait(kNoThrow);
  }

  asio::awaitable<void> until_not_held() {
    while (held_) co_await changed_.async_wait(kNoThrow);
  }

  asio::io_context io_{1};
  std::set<std::shared_ptr<Pair>> pairs_;
  tcp::endpoint target_;
  tcp::endpoint local_;
  tcp::acceptor reserve_;
  tcp::acceptor acceptor_;
  asio::steady_timer changed_;  // cancelled when the mode changes
  bool held_ = false;
  std::chrono::milliseconds delay_{0};
  std::size_t bytes_per_second_ = 0;
  std::optional<Budget> budget_;
  std::thread thread_;
};

FaultGate::FaultGate(const std::string& to, std::uint16_t port) : relay_(std::make_unique<Relay>(to, port)), port_(relay_->port()) {}
FaultGate::~FaultGate() = default;

void FaultGate::pass() {
  relay_->call([this] { relay_->pass(); });
}
void FaultGate::cut() {
  relay_->call([this] { relay_->cut(); });
}
void FaultGate::half_open() {
  relay_->call([this] { relay_->half_open(); });
}
void FaultGate::slow(std::chrono::milliseconds delay, std::size_t bytes_per_second) {
  relay_->call([this, delay, bytes_per_second] { relay_->slow(delay, bytes_per_second); });
}
void FaultGate::reset_after(std::size_t bytes, Sender sender) {
  relay_->call([this, bytes, sender] { relay_->reset_after(bytes, sender); });
}
std::size_t FaultGate::connections() const {
  return relay_->call([this] { return relay_->connections(); });
}

}  // namespace fermata::testing
