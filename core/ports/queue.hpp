#pragma once

#include "base/status.hpp"
#include "ports/health.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fermata {

struct QueueRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::string key;
  std::string value;

  std::size_t bytes() const { return key.size() + value.size(); }
};

struct NewRecord {
  std::string topic;
  std::string key;
  std::string value;
};

struct PartitionOffset {
  std::int32_t partition = 0;
  std::int64_t offset = 0;  ///< the next record to read
};

struct TopicInfo {
  struct Partition {
    std::int32_t id = 0;
    std::int32_t leader = 0;
    std::vector<std::int32_t> replicas;
    std::vector<std::int32_t> in_sync;
  };
  std::string name;
  std::vector<Partition> partitions;
};

/// A member of a consumer group, reading one topic.
///
/// Pull, with a bell: `poll` never blocks; when it returns nothing, `on_ready` rings once when there may be more.
/// Threads: [any], but poll, commit and position by one caller at a time. Events run on a thread of the adapter (or of the
///          caller of poll), never under a lock of the consumer, and must not block.
/// Lifetime: after the destructor returns no event runs. The group keeps its offsets.
class Consumer {
 public:
  virtual ~Consumer() = default;

  struct Events {
    /// poll may return something again.
    std::function<void()> on_ready;
    /// These partitions are ours from now on, each read from its first record not committed. Embedded: all, once.
    std::function<void(std::span<const std::int32_t>)> on_assigned = [](auto) {};
    /// These partitions are another member's from now on. What is done of them must be passed to commit before this
    /// returns (a last chance); their records that are in flight after that are completed in vain. May take some seconds,
    /// to wait for them.
    std::function<void(std::span<const std::int32_t>)> on_revoked = [](auto) {};
  };

  /// Takes over up to `max_records` records, stopping before the sum of their bytes passes `max_bytes` (but at least
  /// one), each partition in order. Empty when there is nothing now. kUnavailable: try again at the next bell.
  virtual Result<std::vector<QueueRecord>> poll(std::size_t max_records, std::size_t max_bytes) = 0;

  /// A closed gate: poll returns nothing, prefetching is bounded, membership and assignment stay, also for partitions
  /// that are assigned later. Opening rings the bell. Starts closed. Idempotent.
  virtual void set_gate(bool open) = 0;

  /// Records that everything before each offset is done. Asynchronous: durable within the commit interval (default 1 s)
  /// or at close; after writes to the KeyValueStore made before it.
  virtual void commit(std::span<const PartitionOffset> offsets) = 0;

  /// Records in our partitions that are not committed, head minus committed. Cheap: may be some seconds old.
  virtual std::int64_t lag() const = 0;
};

/// Topics, partitions, consumer groups, offsets: Kafka in a cluster, SQLite embedded. Threads: [any].
class Queue {
 public:
  virtual ~Queue() = default;

  /// Makes the topic if it is not there. May block for I/O, at most 10 s. @param partitions 0: the adapter's default.
  virtual Status ensure_topic(std::string_view topic, std::int32_t partitions) = 0;

  /// What became of a batch: ok when every record is durable.
  using Produced = std::function<void(Status)>;

  /// Appends the records, those of one key in this order. Calls `produced` once, on a thread of the adapter, if and only
  /// if it returned ok. A failed batch may be partly there. Missing topics are made.
  /// @return kResourceExhausted when the producer's buffer (default 64 MiB) is full: nothing was taken, try later.
  virtual Status produce(std::vector<NewRecord> records, Produced produced) = 0;

  /// Joins `group`. A group without offsets begins at the first record there is. Makes the topic if it is missing.
  virtual Result<std::unique_ptr<Consumer>> consume(std::string_view topic, std::string_view group, Consumer::Events events) = 0;

  virtual Result<std::vector<TopicInfo>> topics() = 0;

  virtual Health health() const = 0;
};

}  // namespace fermata
