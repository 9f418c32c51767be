#pragma once

#include "adapters/redis/endpoint.hpp"
#include "adapters/redis/redis.hpp"
#include "adapters/redis/resp.hpp"
#include "adapters/redis/wire.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::redis {

/// A connection that comes back: finds the server (asking Sentinels if there are any), connects, logs in, makes sure that it
/// is a master, probes it with PING, and begins again with back-off when any of this fails or the server falls silent.
///
/// Threads: confined to the thread of the io_context, the constructor excepted. Events may call all but fail.
class Link {
 public:
  struct Events {
    std::function<void()> on_ready;
    /// An attempt failed, or the connection was lost: what was asked and not answered never will be.
    std::function<void(const Status& why)> on_down;
    /// An answer that no request waits for; may call fail. Empty: there are none, as on a connection for commands.
    std::function<void(const redisReply&)> on_push;
  };
  /// Called for each answer to a request, unless the connection is lost before; may take the reply over, and may call fail
  /// when it is the last.
  using Answer = std::function<void(Reply& reply, bool last)>;

  /// @param options  valid; outlives the link.
  Link(boost::asio::io_context& io, const Backend::Options& options, Events events);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void start() { attempt(); }
  bool ready() const { return state_ == State::kReady; }
  /// As in messages: "Redis 127.0.0.1:6379".
  const std::string& server() const { return server_; }

  /// Sends commands that are answered `answers` times in all. Only while ready.
  void request(std::string_view bytes, std::size_t answers, Answer answer);
  /// Sends commands whose answers, if any, go to on_push. Only while ready.
  void send(std::string_view bytes);
  /// Gives the connection up and begins again.
  void fail(const Status& why);

 private:
  enum class State { kWaiting, kConnecting, kReady };
  struct Expected {
    std::size_t left;
    Answer answer;
  };

  void attempt();
  void open(std::string name, const Endpoint& endpoint, void (Link::*then)());
  void ask_sentinel();
  void master_named(const redisReply& reply);
  void greet();
  void login(const std::string& user, const std::string& password, std::string_view setting);
  void check_role(const redisReply& reply);
  void greeted(const redisReply& reply);
  void answered(Reply reply);
  void probe();
  void timed_out();
  void after(std::chrono::steady_clock::duration wait, void (Link::*then)());
  Status unavailable(std::string_view why) const;

  boost::asio::io_context& io_;
  const Backend::Options& options_;
  const Events events_;
  std::vector<Endpoint> servers_;
  State state_ = State::kWaiting;
  std::string server_ = "Redis";
  std::shared_ptr<Wire> wire_;
  std::deque<Expected> expected_;  // in order; the front is answered next
  std::size_t turn_ = 0;           // which server is next
  std::uint32_t failures_ = 0;     // since a connection lasted
  std::chrono::steady_clock::time_point ready_since_;
  boost::asio::steady_timer timer_;  // of the state: the back-off, the attempt's deadline, or the next probe
  std::uint64_t timer_turn_ = 0;
};

}  // namespace fermata::redis
