#include "adapters/redis/wire.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace fermata::redis {

namespace asio = boost::asio;
using boost::system::error_code;

std::shared_ptr<Wire> Wire::connect(asio::io_context& io, const Endpoint& endpoint, Events events) {
  std::shared_ptr<Wire> wire(new Wire(io, std::move(events)));
  wire->start(endpoint);
  return wire;
}

Wire::Wire(asio::io_context& io, Events events)
    : events_(std::move(events)),
      resolver_(io),
      socket_(io),
      reader_(redisReaderCreate()),
      last_received_(std::chrono::steady_clock::now()) {}

void Wire::start(const Endpoint& endpoint) {
  if (!endpoint.path.empty())
    return connect_to({asio::generic::stream_protocol::endpoint(asio::local::stream_protocol::endpoint(endpoint.path))});
  resolver_.async_resolve(endpoint.host, std::to_string(endpoint.port), asio::ip::tcp::resolver::numeric_service,
                          [self = shared_from_this()](error_code error, const asio::ip::tcp::resolver::results_type& found) {
                            if (self->closed_) return;
                            if (error) return self->lost("its name cannot be resolved: " + error.message());
                            std::vector<asio::generic::stream_protocol::endpoint> addresses;
                            for (const auto& entry : found) addresses.emplace_back(entry.endpoint());
                            self->connect_to(addresses);
                          });
}

void Wire::connect_to(const std::vector<asio::generic::stream_protocol::endpoint>& addresses) {
  // The range form keeps a copy of the addresses, and tries them in turn.
  asio::async_connect(socket_, addresses, [self = shared_from_this()](error_code error, const auto&) {
    if (self->closed_) return;
    if (error) return self->lost(error.message());
    self->connected();
  });
}

void Wire::connected() {
  error_code ignored;  // a Unix socket has no such option
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  last_received_ = std::chrono::steady_clock::now();
  events_.on_connected();
  read();
}

void Wire::read() {
  if (closed_) return;
  socket_.async_read_some(asio::buffer(in_), [self = shared_from_this()](error_code error, std::size_t bytes) {
    if (self->closed_) return;
    if (error == asio::error::eof) return self->lost("it closed the connection");
    if (error) return self->lost(error.message());
    self->parse(bytes);
  });
}

void Wire::parse(std::size_t bytes) {
  last_received_ = std::chrono::steady_clock::now();
  if (redisReaderFeed(reader_.get(), in_.data(), bytes) != REDIS_OK) return lost(reader_->errstr);
  while (!closed_) {
    void* raw = nullptr;
    if (redisReaderGetReply(reader_.get(), &raw) != REDIS_OK) return lost(std::string("it does not speak Redis: ") + reader_->errstr);
    if (raw == nullptr) return read();
    events_.on_answer(Reply(static_cast<redisReply*>(raw)));
  }
}

void Wire::send(std::string_view bytes) {
  if (closed_) return;
  out_.append(bytes);
  if (std::exchange(flushing_, true)) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->flush(); });
}

void Wire::flush() {
  if (closed_) return;
  if (out_.empty()) {
    flushing_ = false;
    return;
  }
  std::swap(out_, sending_);
  out_.clear();
  asio::async_write(socket_, asio::buffer(sending_), [self = shared_from_this()](error_code error, std::size_t) {
    if (self->closed_) return;
    if (error) return self->lost(error.message());
    self->flush();
  });
}

void Wire::close() {
  closed_ = true;
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void Wire::lost(const std::string& why) {
  close();
  events_.on_lost(why);
}

}  // namespace fermata::redis
