#include "adapters/redis/redis.hpp"

#include "adapters/redis/durability.hpp"
#include "adapters/redis/endpoint.hpp"
#include "adapters/redis/fanout.hpp"
#include "adapters/redis/health_board.hpp"
#include "adapters/redis/key_value_store.hpp"
#include "adapters/redis/link.hpp"

#include <fmt/format.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <thread>
#include <utility>

namespace fermata::redis {

namespace {

constexpr std::size_t kMinWriteBuffer = 1u << 20;  // holds the largest write

Status check(const Backend::Options& options) {
  if (options.servers.empty()) return {Code::kInvalidArgument, "redis.servers is empty: name at least one"};
  for (const std::string& server : options.servers)
    if (auto endpoint = parse_endpoint(server); !endpoint) return endpoint.status();
  if (options.sentinel_master.empty() && !(options.sentinel_user.empty() && options.sentinel_password.empty()))
    return {Code::kInvalidArgument, "redis.sentinel_user and redis.sentinel_password need redis.sentinel_master, the master to ask for"};
  if (options.database < 0) return {Code::kInvalidArgument, fmt::format("redis.database is {}: choose 0 or more", options.database)};
  if (options.ping_interval.count() < 1 || options.operation_timeout.count() < 1)
    return {Code::kInvalidArgument, "redis.ping_interval and redis.operation_timeout must be at least 1ms"};
  if (options.write_buffer_bytes < kMinWriteBuffer)
    return {Code::kInvalidArgument, fmt::format("redis.write_buffer is {} bytes: give it at least 1 MiB", options.write_buffer_bytes)};
  return Status::ok();
}

}  // namespace

class Backend::Impl {
 public:
  Impl(Options options, const Clock& clock, telemetry::Log& log)
      : options_(std::move(options)),
        log_(log),
        health_(clock, log),
        commands_(
            io_, options_,
            {.on_ready = [this] { commands_ready(); }, .on_down = [this](const Status& why) { commands_down(why); }, .on_push = nullptr}),
        subscriber_(io_, options_,
                    {.on_ready = [this] { fanout_.subscriber_ready(); },
                     .on_down = [this](const Status& why) { fanout_.subscriber_down(why); },
                     .on_push = [this](const redisReply& reply) { fanout_.subscriber_pushed(reply); }}),
        fanout_(io_, commands_, subscriber_, options_.channel_prefix, health_, log),
        kv_(io_, commands_,
            {.key_prefix = options_.key_prefix,
             .operation_timeout = options_.operation_timeout,
             .write_buffer_bytes = options_.write_buffer_bytes},
            health_) {
    boost::asio::post(io_, [this] {
      commands_.start();
      subscriber_.start();
    });
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    if (const std::size_t left = kv_.drain(options_.operation_timeout); left > 0)
      log_.error("redis", fmt::format("{} writes are lost, as Redis did not take them before the end", left),
                 {{"reason", health_.get().reason}});
    io_.stop();
    thread_.join();
  }

  RedisFanout& fanout() { return fanout_; }
  RedisKeyValueStore& kv() { return kv_; }

 private:
  void commands_ready() {
    health_.set(HealthBoard::Part::kCommands, Status::ok());
    if (!std::exchange(durability_checked_, true)) check_durability(commands_, log_);
    fanout_.commands_ready();
    kv_.link_ready();
  }
  void commands_down(const Status& why) {
    health_.set(HealthBoard::Part::kCommands, why);
    fanout_.commands_down();
    kv_.link_down();
  }

  const Options options_;
  telemetry::Log& log_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  HealthBoard health_;
  bool durability_checked_ = false;
  Link commands_;
  Link subscriber_;
  RedisFanout fanout_;
  RedisKeyValueStore kv_;
  std::thread thread_;  // the dispatcher: runs io_
};

Result<std::unique_ptr<Backend>> Backend::open(Options options, const Clock& clock, telemetry::Log& log) {
  if (auto valid = check(options); !valid) return valid;
  return std::unique_ptr<Backend>(new Backend(std::make_unique<Impl>(std::move(options), clock, log)));
}

Backend::Backend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::~Backend() = default;

Fanout& Backend::fanout() { return impl_->fanout(); }
KeyValueStore& Backend::kv() { return impl_->kv(); }
void Backend::after_writes(std::function<void()> done) { impl_->kv().after_writes(std::move(done)); }

}  // namespace fermata::redis
