#pragma once

#include "adapters/redis/health_board.hpp"
#include "adapters/redis/link.hpp"
#include "base/callback_guard.hpp"
#include "ports/fanout.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::redis {

/// Redis publish/subscribe. Publishes on one link, subscribes on another.
///
/// After each change of the subscription, and on each new connection, a PING with a number follows the SUBSCRIBEs: its
/// answer says that Redis has confirmed them all.
///
/// Threads: the port's functions [any]; the others on the thread of the io_context, on which the listener is called too.
class RedisFanout final : public Fanout {
 public:
  /// All outlive the fan-out.
  RedisFanout(boost::asio::io_context& io, Link& commands, Link& subscriber, std::string channel_prefix, HealthBoard& health,
              telemetry::Log& log)
      : io_(io), commands_(commands), subscriber_(subscriber), prefix_(std::move(channel_prefix)), health_(health), log_(log) {}

  Status subscribe(std::vector<std::string> channels, Listener listener) override;
  Status publish(std::string_view channel, std::string_view message) override;
  Health health() const override { return health_.get(); }

  void commands_ready();
  void commands_down();
  void subscriber_ready();
  void subscriber_down(const Status& why) { health_.set(HealthBoard::Part::kSubscriber, why); }
  void subscriber_pushed(const redisReply& reply);

 private:
  struct Subscription;

  std::shared_ptr<Subscription> subscription() const;
  void send_published();
  void published(const redisReply& reply, bool last, std::size_t bytes);
  void apply();
  void send_channels(std::string_view verb, const std::vector<std::string>& channels);
  void deliver(std::string_view channel, std::string_view message);
  void fence_passed(std::string_view number);

  boost::asio::io_context& io_;
  Link& commands_;
  Link& subscriber_;
  const std::string prefix_;
  HealthBoard& health_;
  telemetry::Log& log_;

  mutable std::mutex mutex_;  // guards the block below
  std::shared_ptr<Subscription> subscription_;
  bool can_publish_ = false;
  std::string outgoing_;  // PUBLISH commands for the thread of the io_context
  std::size_t outgoing_count_ = 0;
  std::size_t unanswered_bytes_ = 0;  // outgoing ones included

  std::shared_ptr<Subscription> applied_;  // the one that the last fence is about
  std::vector<std::string> subscribed_;    // on this connection; sorted, with the prefix
  std::uint64_t fence_ = 0;
  bool refusal_logged_ = false;  // on this connection
};

}  // namespace fermata::redis
