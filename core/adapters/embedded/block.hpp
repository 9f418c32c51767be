#pragma once

#include "base/status.hpp"
#include "ports/queue.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::embedded {

/// Consecutive records of one partition in one piece: a row of queue.db. Fewer, larger rows halve the cost per record.
/// Each record is a header (sizes of key and value, timestamp) followed by key and value. Immutable once shared.
class Block {
 public:
  /// A closed block holds about this much; one larger record may stand alone.
  static constexpr std::size_t kTargetBytes = 64u << 10;

  explicit Block(std::int64_t first) : first_(first) {}
  /// @return kDataLoss if `data` is not what a block writes.
  static Result<std::shared_ptr<const Block>> parse(std::int64_t first, std::string_view data);

  void append(std::int64_t timestamp_ms, std::string_view key, std::string_view value);

  std::int64_t first() const { return first_; }
  std::int64_t end() const { return first_ + static_cast<std::int64_t>(starts_.size()); }
  std::int64_t last_ms() const { return last_ms_; }
  const std::string& data() const { return data_; }
  bool full() const { return data_.size() >= kTargetBytes; }
  /// Key and value of the record at `offset`, which is in [first, end).
  std::size_t record_bytes(std::int64_t offset) const;
  QueueRecord record(std::int32_t partition, std::int64_t offset) const;
  /// What it takes in memory, about.
  std::size_t memory_bytes() const { return data_.capacity() + starts_.capacity() * sizeof(starts_[0]) + 200; }

 private:
  std::int64_t first_;
  std::int64_t last_ms_ = 0;
  std::string data_;
  std::vector<std::uint32_t> starts_;  ///< where each record begins in data_
};

/// The blocks used last, of all topics, up to a number of bytes: consumers that keep up, however many, never read the
/// file. Threads: [any].
class BlockCache {
 public:
  explicit BlockCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void insert(std::int64_t topic, std::int32_t partition, std::shared_ptr<const Block> block);
  /// The block that holds `offset`, or null.
  std::shared_ptr<const Block> find(std::int64_t topic, std::int32_t partition, std::int64_t offset);
  std::size_t bytes() const;

 private:
  struct Key {
    std::int64_t topic;
    std::int32_t partition;
    std::int64_t first;
    auto operator<=>(const Key&) const = default;
  };
  struct Slot {
    std::shared_ptr<const Block> block;
    std::list<Key>::iterator age;
  };

  const std::size_t max_bytes_;
  mutable std::mutex mutex_;  // guards all below
  std::size_t bytes_ = 0;
  std::list<Key> by_age_;  ///< used last at the front
  std::map<Key, Slot> slots_;
};

}  // namespace fermata::embedded
