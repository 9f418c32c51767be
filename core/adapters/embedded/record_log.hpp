#pragma once

#include "adapters/embedded/block.hpp"
#include "adapters/embedded/sqlite.hpp"
#include "adapters/embedded/topic.hpp"
#include "adapters/embedded/writer.hpp"
#include "base/clock.hpp"
#include "base/executor.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::embedded {

/// Topics, records and groups in queue.db: what producers append to and consumers read from.
///
/// Threads: [any], but append and WriterPart from the writer's thread.
class RecordLog final : public WriterPart {
 public:
  struct Options {
    std::int32_t default_partitions = 4;
    std::chrono::milliseconds retention{0};
    std::size_t cache_bytes = 16u << 20;
  };

  /// Reads what there is; throws SqlError. @param writer  not yet started.
  RecordLog(Options options, Writer& writer, ReaderPool& readers, Executor& dispatcher, const Clock& clock, telemetry::Log& log);

  /// The topic; made if it is missing, durable together with what is submitted to the writer next. @param partitions  0:
  /// the default. kInvalidArgument for an impossible name or number.
  Result<Topic*> topic(std::string_view name, std::int32_t partitions);
  std::vector<const Topic*> topics() const;

  /// The group; a new one stands at the first record there is.
  std::shared_ptr<Group> group(Topic& topic, std::string_view name);
  /// Offsets only move forward; others are ignored.
  void commit(const std::shared_ptr<Group>& group, std::span<const PartitionOffset> offsets);
  /// The group has no consumer any more.
  void leave(const std::shared_ptr<Group>& group);

  /// Adds a record to the open transaction. Throws SqlError.
  void append(Topic& topic, std::int32_t partition, std::int64_t timestamp_ms, std::string_view key, std::string_view value);
  /// The block that holds `offset`, or else the next one after it; null if there is none. May read the file.
  Result<std::shared_ptr<const Block>> read(const Topic& topic, std::int32_t partition, std::int64_t offset);

  Executor& dispatcher() { return dispatcher_; }
  const BlockCache& cache() const { return cache_; }

  void begin_tick() override;
  bool tick_pending() const override { return !offsets_to_write_.empty(); }
  void write_tick(Database& database) override;
  void finish(Database& database) override;
  void committed() override;
  void rolled_back() override;
  bool maintain(Database& database) override;

 private:
  class Creation;

  void load_topics(Database& database);
  void load_extent(Database& database, Topic& topic, std::int32_t partition, std::int64_t known_head);
  void load_groups(Database& database);
  void mark_dirty(const std::shared_ptr<Group>& group);
  void set_idle(Group& group) const;

  // retention.cpp
  struct Hold;
  Hold hold(const Topic& topic, std::int32_t partition) const;
  std::size_t remove_done(Database& database, Topic& topic, std::size_t limit);
  std::size_t remove_blocks(Database& database, Topic& topic, std::int32_t partition, std::size_t limit);
  bool is_active(const Group& group) const;
  void note_lost(const Topic& topic, std::int32_t partition, std::int64_t end);
  void report_lost();
  void refresh_active();
  static void shrink(Database& database);

  const Options options_;
  Writer& writer_;
  ReaderPool& readers_;
  Executor& dispatcher_;
  const Clock& clock_;
  telemetry::Log& log_;
  BlockCache cache_;

  mutable std::shared_mutex topics_mutex_;  // guards topics_, groups_ and last_topic_id_
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::map<std::int64_t, std::map<std::string, std::shared_ptr<Group>, std::less<>>> groups_;  ///< by topic id and name
  std::int64_t last_topic_id_ = 0;

  std::mutex dirty_mutex_;  // guards dirty_
  std::vector<std::shared_ptr<Group>> dirty_;

  // The writer's thread only.
  std::vector<std::pair<std::shared_ptr<Group>, std::string>> offsets_to_write_;
  std::vector<std::pair<Topic*, std::int32_t>> touched_;  ///< by the open transaction
  bool any_lost_ = false;                                 ///< some Group::lost is not 0
  SteadyTime next_loss_report_;
  SteadyTime next_refresh_;
};

}  // namespace fermata::embedded
