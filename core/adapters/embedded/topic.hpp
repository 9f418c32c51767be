#pragma once

#include "adapters/embedded/block.hpp"
#include "base/callback_guard.hpp"
#include "base/executor.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::embedded {

/// What tells a consumer to poll again. Shared by the consumer, its topic and the dispatcher.
struct Bell {
  std::function<void()> ring;
  CallbackGuard guard;
  bool waiting = false;  ///< guarded by the topic's mutex: in Topic's list
};

/// One partition's extent. Offsets only grow.
struct Partition {
  std::atomic<std::int64_t> first{0};  ///< older records were removed
  std::atomic<std::int64_t> head{0};   ///< the next record's offset; those before are durable

  // The writer's thread only.
  std::int64_t next = 0;                         ///< head, plus what the open transaction appends
  std::vector<std::shared_ptr<Block>> appended;  ///< by the open transaction
  std::int64_t oldest_ms = 0;                    ///< age of the first block, as last seen
};

/// A topic as the process knows it. Threads: [any].
class Topic {
 public:
  Topic(std::int64_t id, std::string name, std::int32_t partitions)
      : id_(id), name_(std::move(name)), partitions_(static_cast<std::size_t>(partitions)) {}

  std::int64_t id() const { return id_; }
  const std::string& name() const { return name_; }
  std::int32_t partition_count() const { return static_cast<std::int32_t>(partitions_.size()); }
  Partition& partition(std::int32_t id) { return partitions_[static_cast<std::size_t>(id)]; }
  const Partition& partition(std::int32_t id) const { return partitions_[static_cast<std::size_t>(id)]; }

  /// Its row is durable.
  bool durable() const { return durable_; }
  void set_durable() { durable_ = true; }

  /// Where records of `key` go, always the same; an empty key goes round.
  std::int32_t partition_of(std::string_view key);

  /// Has the bell rung at the next append; false, and not, if there is something at or after `positions` already.
  bool wait_for_more(const std::shared_ptr<Bell>& bell, std::span<const std::int64_t> positions);
  void stop_waiting(const std::shared_ptr<Bell>& bell);
  /// Rings the bells that wait, as one task of `dispatcher`.
  void ring(Executor& dispatcher);

 private:
  const std::int64_t id_;
  const std::string name_;
  std::vector<Partition> partitions_;
  std::atomic<bool> durable_{false};
  std::atomic<std::uint32_t> turn_{0};
  std::mutex mutex_;  // guards waiting_
  std::vector<std::shared_ptr<Bell>> waiting_;
};

/// A consumer group's offsets on one topic. Threads: [any].
struct Group {
  Group(Topic& its_topic, std::string its_name)
      : topic(its_topic), name(std::move(its_name)), committed(static_cast<std::size_t>(its_topic.partition_count())) {}

  Topic& topic;
  const std::string name;
  std::vector<std::atomic<std::int64_t>> committed;  ///< by partition: the next record not done
  std::atomic<bool> dirty{false};                    ///< committed moved since it was last taken to be written
  std::atomic<bool> live{false};                     ///< has a consumer
  std::atomic<std::int64_t> active_ms{0};            ///< wall time: last known to have a consumer; stored
  std::atomic<std::int64_t> idle_since_ms{0};        ///< steady time: since when this process has seen no consumer
  std::int64_t lost = 0;                             ///< the writer's thread only: removed before done, not yet logged

  /// Where the group stands in a partition: behind records that are gone there is nothing to do.
  std::int64_t position(std::int32_t partition) const {
    return std::max(committed[static_cast<std::size_t>(partition)].load(), topic.partition(partition).first.load());
  }
};

/// "12 0 7": offsets by partition, as the tables topics and groups keep them.
std::string format_offsets(std::span<const std::int64_t> offsets);
/// @return `count` offsets; those that are missing or no numbers are 0.
std::vector<std::int64_t> parse_offsets(std::string_view text, std::size_t count);

}  // namespace fermata::embedded
