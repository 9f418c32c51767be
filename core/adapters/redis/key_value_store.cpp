#include "adapters/redis/key_value_store.hpp"

#include "adapters/redis/refusal.hpp"
#include "base/random.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <iterator>

namespace fermata::redis {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSpaceBytes = 255;
constexpr std::size_t kMaxKeyBytes = 4'096;
constexpr std::size_t kMaxValueBytes = 256u << 10;
constexpr std::size_t kOverhead = 150;       // of one waiting write in memory
constexpr std::size_t kWindowItems = 1'000;  // in flight; also bounds how long a hint waits behind them
constexpr std::size_t kWindowBytes = 512u << 10;
constexpr std::size_t kScanPage = 250;       // entries per answer: at most 64 MiB
constexpr std::size_t kAnswersToAWrite = 4;  // MULTI, two commands, EXEC
constexpr auto kFirstRetry = 100ms;
constexpr auto kMaxRetry = 5'000ms;

// Keys of the page, then their values.
constexpr std::string_view kScanScript =
    "local keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3]) "
    "if #keys == 0 then return {{}, {}} end "
    "return {keys, redis.call('HMGET', KEYS[1], unpack(keys))}";

Status check(std::string_view space, std::string_view key) {
  if (space.empty() || space.size() > kMaxSpaceBytes)
    return {Code::kInvalidArgument, fmt::format("key-value space '{}': its name must have 1 to {} bytes", space, kMaxSpaceBytes)};
  if (key.empty() || key.size() > kMaxKeyBytes)
    return {Code::kInvalidArgument, fmt::format("a key of {} bytes in '{}': it must have 1 to {}", key.size(), space, kMaxKeyBytes)};
  return Status::ok();
}

// The least string that is greater than all that begin with `prefix`, as the end of a lexical range.
std::string end_of(std::string prefix) {
  while (prefix.ends_with('\xff')) prefix.pop_back();
  if (prefix.empty()) return "+";
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return "(" + prefix;
}

std::string begin_of(std::string_view prefix, std::string_view after) {
  if (after.empty() && prefix.empty()) return "-";
  return after >= prefix ? "(" + std::string(after) : "[" + std::string(prefix);
}

void append_page(const redisReply& reply, std::vector<KeyValueStore::Entry>& found) {
  const auto halves = elements_of(reply);
  if (halves.size() != 2) return;
  const auto keys = elements_of(*halves[0]);
  const auto values = elements_of(*halves[1]);
  for (std::size_t i = 0; i < std::min(keys.size(), values.size()); ++i)
    if (is_string(*values[i])) found.emplace_back(text_of(*keys[i]), text_of(*values[i]));
}

}  // namespace

// The braces keep both on one node of a Redis cluster.
std::string RedisKeyValueStore::hash_of(std::string_view space) const { return fmt::format("{}kv:{{{}}}", options_.key_prefix, space); }
std::string RedisKeyValueStore::keys_of(std::string_view space) const {
  return fmt::format("{}kv-keys:{{{}}}", options_.key_prefix, space);
}

Status RedisKeyValueStore::put(std::string_view space, std::string_view key, std::string_view value) {
  if (auto valid = check(space, key); !valid) return valid;
  if (value.size() > kMaxValueBytes)
    return {Code::kInvalidArgument, fmt::format("a value of {} bytes in '{}', of at most {}", value.size(), space, kMaxValueBytes)};
  std::string bytes = command({"MULTI"});
  append_command(bytes, {"HSET", hash_of(space), key, value});
  append_command(bytes, {"ZADD", keys_of(space), "0", key});
  append_command(bytes, {"EXEC"});
  return submit(std::move(bytes));
}

Status RedisKeyValueStore::remove(std::string_view space, std::string_view key) {
  if (auto valid = check(space, key); !valid) return valid;
  std::string bytes = command({"MULTI"});
  append_command(bytes, {"HDEL", hash_of(space), key});
  append_command(bytes, {"ZREM", keys_of(space), key});
  append_command(bytes, {"EXEC"});
  return submit(std::move(bytes));
}

Status RedisKeyValueStore::submit(std::string bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t size = bytes.size() + kOverhead;
  if (waiting_bytes_ + size > options_.write_buffer_bytes)
    return {Code::kResourceExhausted, fmt::format("{} MiB of key-value writes wait for Redis ({}): try later",
                                                  options_.write_buffer_bytes >> 20, health_.get().reason)};
  waiting_bytes_ += size;
  ++put_;
  enqueue({.bytes = std::move(bytes)});
  return Status::ok();
}

Result<std::optional<std::string>> RedisKeyValueStore::get(std::string_view space, std::string_view key) {
  if (auto valid = check(space, key); !valid) return valid;
  auto reply = ask(command({"HGET", hash_of(space), key}), deadline());
  if (!reply) return reply.status();
  if (!is_string(**reply)) return std::optional<std::string>();
  return std::optional(std::string(text_of(**reply)));
}

Result<std::vector<KeyValueStore::Entry>> RedisKeyValueStore::scan(std::string_view space, std::string_view prefix, std::string_view after,
                                                                   std::size_t limit) {
  if (auto valid = check(space, "-"); !valid) return valid;
  const Deadline until = deadline();
  const std::string end = end_of(std::string(prefix));
  std::string begin = begin_of(prefix, after);
  std::vector<Entry> found;
  while (found.size() < limit) {
    const std::size_t page = std::min(limit - found.size(), kScanPage);
    auto reply = ask(command({"EVAL", kScanScript, "2", hash_of(space), keys_of(space), begin, end, std::to_string(page)}), until);
    if (!reply) return reply.status();
    const std::size_t before = found.size();
    append_page(**reply, found);
    if (found.size() - before < page) break;
    begin = "(" + found.back().first;
  }
  return found;
}

Result<Reply> RedisKeyValueStore::ask(std::string bytes, Deadline until) {
  if (io_.get_executor().running_in_this_thread())
    return Status(Code::kFailedPrecondition, "the bulk store was read in a callback of its own adapter, which would wait for itself");
  const auto read = std::make_shared<Read>();
  std::unique_lock lock(mutex_);
  // Whoever reads in an outage must not hold its thread up for each read.
  if (down_since_ && std::chrono::steady_clock::now() - *down_since_ > options_.operation_timeout) return unanswered();
  const auto place = enqueue({.bytes = std::move(bytes), .read = read});
  if (!read->answered.wait_until(lock, until, [&] { return read->reply != nullptr; })) {
    abandon(place);
    return unanswered();
  }
  if (is_error(*read->reply)) return refusal("Redis", "a read", text_of(*read->reply));
  return std::move(read->reply);
}

Status RedisKeyValueStore::unanswered() const {
  return {Code::kUnavailable, fmt::format("Redis did not answer a read within {} ({})", options_.operation_timeout, health_.get().reason)};
}

// With mutex_.
RedisKeyValueStore::Items::iterator RedisKeyValueStore::enqueue(Item item) {
  const auto place = queue_.insert(queue_.end(), std::move(item));
  if (unsent_ == queue_.end()) unsent_ = place;
  if (!std::exchange(pump_posted_, true)) boost::asio::post(io_, [this] { pump(); });
  return place;
}

// With mutex_. What is in flight stays until it is answered or sent again.
void RedisKeyValueStore::abandon(Items::iterator place) {
  place->abandoned = true;
  if (place->sent) return;
  if (unsent_ == place) ++unsent_;
  queue_.erase(place);
}

void RedisKeyValueStore::pump() {
  const std::lock_guard lock(mutex_);
  pump_posted_ = false;
  if (!up_ || refusing_) return;
  for (; unsent_ != queue_.end() && in_flight_ < kWindowItems && in_flight_bytes_ < kWindowBytes; ++unsent_) {
    link_.request(unsent_->bytes, unsent_->read ? 1 : kAnswersToAWrite, [this](Reply& reply, bool last) { answered(reply, last); });
    unsent_->sent = true;
    ++in_flight_;
    in_flight_bytes_ += unsent_->bytes.size();
  }
}

// Of a write that is refused, the first error says why: EXEC only says that there was one, unless it failed itself.
void RedisKeyValueStore::answered(Reply& reply, bool last) {
  if (error_.empty() && is_error(*reply)) error_ = text_of(*reply);
  for (const redisReply* part : elements_of(*reply))
    if (error_.empty() && is_error(*part)) error_ = text_of(*part);
  if (last) settle(reply, std::exchange(error_, {}));
}

void RedisKeyValueStore::settle(Reply& reply, const std::string& error) {
  --in_flight_;
  if (refusing_) {
    if (in_flight_ == 0) retry_later();
    return;
  }
  bool is_write = false;
  {
    const std::lock_guard lock(mutex_);
    Item& item = queue_.front();
    is_write = !item.read;
    if (!is_write || error.empty()) leave_queue(item, reply);
  }
  if (is_write) {
    if (!error.empty()) return refused(error);
    tell_written();
  }
  pump();
}

// With mutex_. The item is the front, done.
void RedisKeyValueStore::leave_queue(Item& item, Reply& reply) {
  in_flight_bytes_ -= item.bytes.size();
  if (item.read) {
    item.read->reply = std::move(reply);
    item.read->answered.notify_one();
  } else {
    waiting_bytes_ -= item.bytes.size() + kOverhead;
    if (++written_ == put_) all_written_.notify_all();
  }
  queue_.pop_front();
}

void RedisKeyValueStore::refused(const std::string& error) {
  const Status why = refusal(link_.server(), "writes", error);
  if (error.starts_with("READONLY")) return link_.fail(why);  // there may be another master by now
  health_.set(HealthBoard::Part::kWrites, why);
  refusing_ = true;
  ++refusals_;
  if (in_flight_ == 0) retry_later();
}

void RedisKeyValueStore::retry_later() {
  retry_timer_.expires_after(backoff(refusals_, kFirstRetry, kMaxRetry));
  retry_timer_.async_wait([this](boost::system::error_code error) {
    if (error || !refusing_ || in_flight_ != 0) return;  // the connection was lost meanwhile
    rewind();
    pump();
  });
}

// Makes all unsent again.
void RedisKeyValueStore::rewind() {
  refusing_ = false;
  error_.clear();
  in_flight_ = 0;
  in_flight_bytes_ = 0;
  const std::lock_guard lock(mutex_);
  for (auto item = queue_.begin(); item != unsent_;) {
    item->sent = false;
    item = item->abandoned ? queue_.erase(item) : std::next(item);
  }
  unsent_ = queue_.begin();
}

void RedisKeyValueStore::link_ready() {
  up_ = true;
  {
    const std::lock_guard lock(mutex_);
    down_since_.reset();
  }
  pump();
}

void RedisKeyValueStore::link_down() {
  up_ = false;
  {
    const std::lock_guard lock(mutex_);
    if (!down_since_) down_since_ = std::chrono::steady_clock::now();
  }
  retry_timer_.cancel();
  rewind();
}

void RedisKeyValueStore::tell_written() {
  if (std::exchange(refusals_, 0) > 0) health_.set(HealthBoard::Part::kWrites, Status::ok());
  std::unique_lock lock(mutex_);
  while (!after_writes_.empty() && after_writes_.front().first <= written_) {
    const auto done = std::move(after_writes_.front().second);
    after_writes_.pop_front();
    telling_ = true;
    lock.unlock();
    done();
    lock.lock();
  }
  telling_ = false;
}

void RedisKeyValueStore::after_writes(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    // What is queued while others are being told is told with them.
    if (written_ != put_ || telling_ || !after_writes_.empty()) {
      after_writes_.emplace_back(put_, std::move(done));
      return;
    }
  }
  done();
}

std::size_t RedisKeyValueStore::drain(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  all_written_.wait_for(lock, wait, [this] { return written_ == put_; });
  return static_cast<std::size_t>(put_ - written_);
}

}  // namespace fermata::redis
