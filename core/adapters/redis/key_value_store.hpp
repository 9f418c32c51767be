#pragma once

#include "adapters/redis/health_board.hpp"
#include "adapters/redis/link.hpp"
#include "ports/key_value_store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace fermata::redis {

/// A space is a hash with its values, and a sorted set with its keys in byte order; both change in one transaction.
///
/// Reads and writes wait in one queue, in order. A write leaves it when Redis has executed it; one that Redis refuses, or
/// whose connection was lost, is sent again with all that came after it, which does no harm: each sets or removes one key.
///
/// Threads: the port's functions and after_writes [any]; the others on the thread of the io_context.
class RedisKeyValueStore final : public KeyValueStore {
 public:
  struct Options {
    std::string key_prefix;
    std::chrono::milliseconds operation_timeout;
    std::size_t write_buffer_bytes;
  };
  /// All outlive the store.
  RedisKeyValueStore(boost::asio::io_context& io, Link& link, Options options, HealthBoard& health)
      : io_(io), link_(link), options_(std::move(options)), health_(health), retry_timer_(io), unsent_(queue_.end()) {}

  Status put(std::string_view space, std::string_view key, std::string_view value) override;
  Status remove(std::string_view space, std::string_view key) override;
  Result<std::optional<std::string>> get(std::string_view space, std::string_view key) override;
  Result<std::vector<Entry>> scan(std::string_view space, std::string_view prefix, std::string_view after, std::size_t limit) override;

  /// See Backend.
  void after_writes(std::function<void()> done);
  /// Waits until all is written, at most `wait`. @return how many writes are left. Threads: any but the io_context's.
  std::size_t drain(std::chrono::milliseconds wait);

  void link_ready();
  void link_down();

 private:
  struct Read {
    std::condition_variable answered;
    Reply reply;
  };
  /// A write, or a read if `read` is set.
  struct Item {
    std::string bytes;
    std::shared_ptr<Read> read = {};
    bool sent = false;
    bool abandoned = false;  // nobody waits for the answer any more
  };
  using Items = std::list<Item>;
  using Deadline = std::chrono::steady_clock::time_point;

  Deadline deadline() const { return std::chrono::steady_clock::now() + options_.operation_timeout; }
  std::string hash_of(std::string_view space) const;
  std::string keys_of(std::string_view space) const;
  Status submit(std::string bytes);
  Status unanswered() const;
  Result<Reply> ask(std::string bytes, Deadline deadline);
  Items::iterator enqueue(Item item);
  void abandon(Items::iterator place);

  void pump();
  void answered(Reply& reply, bool last);
  void settle(Reply& reply, const std::string& error);
  void leave_queue(Item& item, Reply& reply);
  void refused(const std::string& error);
  void retry_later();
  void rewind();
  void tell_written();

  boost::asio::io_context& io_;
  Link& link_;
  const Options options_;
  HealthBoard& health_;

  // Confined to the thread of the io_context.
  bool up_ = false;
  bool refusing_ = false;       // the front was refused: what is in flight is answered in vain, then all is sent again
  std::uint32_t refusals_ = 0;  // in a row
  std::string error_;           // the first one among the answers to the write that is being answered
  std::size_t in_flight_ = 0;
  std::size_t in_flight_bytes_ = 0;
  boost::asio::steady_timer retry_timer_;

  std::mutex mutex_;  // guards all below
  std::condition_variable all_written_;
  Items queue_;             // the ones sent first, then the unsent
  Items::iterator unsent_;  // the first that is not sent
  bool pump_posted_ = false;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t put_ = 0;                                                     // writes so far
  std::uint64_t written_ = 0;                                                 // of these, executed by Redis
  std::deque<std::pair<std::uint64_t, std::function<void()>>> after_writes_;  // with the writes to wait for
  bool telling_ = false;
  std::optional<Deadline> down_since_ = std::chrono::steady_clock::now();  // while there is no connection
};

}  // namespace fermata::redis
