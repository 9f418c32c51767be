#pragma once
// What a FakeHost hands a plugin to end - a delivery, a batch, an exchange - with what the plugin then said.

#include <fermata/abi/http.h>
#include <fermata/abi/populator.h>
#include <fermata/abi/queue.h>
#include <fermata/sdk/status.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fermata::sdk::testing {

/// A promise and its end, of type End. Threads: [any]; a plugin may end it from a thread of its own.
template <typename End>
class Promise {
 public:
  /// False if it was ended before: a bug of the plugin's.
  bool end(End how) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return false;
      ended_ = true;
      end_ = std::move(how);
    }
    changed_.notify_all();
    return true;
  }
  bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  /// Blocks until it is ended, at most `timeout`. @return whether it is.
  bool wait(std::chrono::milliseconds timeout = std::chrono::seconds(30)) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [this] { return ended_; });
  }
  /// How it ended; a default End while it has not.
  End result() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  mutable std::condition_variable changed_;
  bool ended_ = false;
  End end_{};
};

struct DeliveryEnd {
  fermata_outcome outcome = -1;  ///< FERMATA_DONE, FERMATA_RETRY, FERMATA_FAILED, FERMATA_POSTPONE; -1 while it is open
  std::string text = {};
};
using FakeDelivery = Promise<DeliveryEnd>;

struct Response {
  int32_t status = 0;  ///< 0 while there is no answer
  std::string content_type = {};
  std::string body = {};
};
using FakeExchange = Promise<Response>;

/// A record to deliver, or one that was produced or emitted.
struct Message {
  std::string key;
  std::string value;
  std::string topic = {};
  uint32_t attempt = 1;
  bool last_attempt = false;
  bool redelivered = false;
};

struct BatchEnd {
  Status status = {};
  std::string next_checkpoint = {};
  std::chrono::milliseconds idle{0};
  std::vector<Message> records = {};
};

/// One poll: the records emitted so far, and its end.
class FakeBatch : public Promise<BatchEnd> {
 public:
  static constexpr size_t kMaxRecords = 1'000;
  static constexpr size_t kMaxBytes = 8u << 20u;

  FakeBatch(std::string populator, std::string topic) : populator_(std::move(populator)), topic_(std::move(topic)) {}

  const std::string& populator() const { return populator_; }
  const std::string& topic() const { return topic_; }

  Status add(std::string_view key, std::string_view value) {
    const std::lock_guard lock(records_mutex_);
    if (records_.size() == kMaxRecords || bytes_ + key.size() + value.size() > kMaxBytes)
      return {Code::kResourceExhausted, "the batch is full"};
    bytes_ += key.size() + value.size();
    records_.push_back({std::string(key), std::string(value), topic_});
    return Status::ok();
  }
  std::vector<Message> take() {
    const std::lock_guard lock(records_mutex_);
    return std::exchange(records_, {});
  }

 private:
  const std::string populator_;
  const std::string topic_;
  std::mutex records_mutex_;  // guards all below
  std::vector<Message> records_;
  size_t bytes_ = 0;
};

}  // namespace fermata::sdk::testing
