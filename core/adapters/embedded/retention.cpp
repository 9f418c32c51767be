// The part of RecordLog that removes what nobody will read any more.

#include "adapters/embedded/record_log.hpp"
#include "base/time_format.hpp"

#include <algorithm>
#include <limits>

namespace fermata::embedded {

namespace {
constexpr std::size_t kBlocksPerPass = 256;     // at most 16 MiB of records, so that producers hardly wait
constexpr std::int64_t kKeptFreePages = 4'096;  // 64 MiB stay in the file for what comes next
constexpr const char* kVacuum = "PRAGMA incremental_vacuum(2048)";
}  // namespace

/// The offsets that the groups of a topic still need in a partition.
struct RecordLog::Hold {
  std::int64_t by_any;   ///< of any group; 0 if there never was one
  std::int64_t by_live;  ///< of those that have a consumer now; beyond all if there is none
};

bool RecordLog::maintain(Database& database) {
  std::vector<Topic*> all;
  {
    const std::shared_lock lock(topics_mutex_);
    for (const auto& [name, topic] : topics_) all.push_back(topic.get());
  }
  std::size_t removed = 0;
  for (Topic* topic : all) {
    removed += remove_done(database, *topic, kBlocksPerPass - removed);
    if (removed == kBlocksPerPass) return true;
  }
  shrink(database);
  return false;
}

RecordLog::Hold RecordLog::hold(const Topic& topic, std::int32_t partition) const {
  constexpr auto kBeyondAll = std::numeric_limits<std::int64_t>::max();
  Hold hold{kBeyondAll, kBeyondAll};
  const std::shared_lock lock(topics_mutex_);
  const auto groups = groups_.find(topic.id());
  if (groups == groups_.end()) return {0, kBeyondAll};
  for (const auto& [name, group] : groups->second) {
    const std::int64_t position = group->position(partition);
    hold.by_any = std::min(hold.by_any, position);
    if (group->live) hold.by_live = std::min(hold.by_live, position);
  }
  return hold;
}

std::size_t RecordLog::remove_done(Database& database, Topic& topic, std::size_t limit) {
  std::size_t removed = 0;
  for (std::int32_t id = 0; id < topic.partition_count() && removed < limit; ++id)
    removed += remove_blocks(database, topic, id, limit - removed);
  return removed;
}

std::size_t RecordLog::remove_blocks(Database& database, Topic& topic, std::int32_t id, std::size_t limit) {
  Partition& partition = topic.partition(id);
  if (partition.first == partition.head) return 0;
  const std::int64_t too_old_ms = to_unix_ms(clock_.now()) - options_.retention.count();
  const Hold held = hold(topic, id);
  if (held.by_any <= partition.first && partition.oldest_ms > too_old_ms) return 0;

  std::vector<std::int64_t> rows;
  std::int64_t end = partition.first;
  {
    Query blocks = database.query("SELECT id, first + count, last_ms FROM blocks WHERE topic = ? AND partition = ? ORDER BY first LIMIT ?",
                                  topic.id(), std::int64_t{id}, static_cast<std::int64_t>(limit));
    while (blocks.next()) {
      partition.oldest_ms = blocks.integer(2);
      const bool done = blocks.integer(1) <= held.by_any;
      const bool expired = partition.oldest_ms <= too_old_ms && blocks.integer(1) <= held.by_live;
      if (!done && !expired) break;
      rows.push_back(blocks.integer(0));
      end = blocks.integer(1);
    }
  }
  if (rows.empty()) return 0;

  std::vector<std::int64_t> heads;
  for (std::int32_t other = 0; other < topic.partition_count(); ++other) heads.push_back(topic.partition(other).head);
  Transaction transaction(database);
  for (const std::int64_t row : rows) database.run("DELETE FROM blocks WHERE id = ?", row);
  // An emptied partition goes on where it was.
  database.run("UPDATE topics SET heads = ? WHERE id = ?", std::string_view(format_offsets(heads)), topic.id());
  transaction.commit();
  partition.first = end;
  return rows.size();
}

// Gives space back to the file system once most of the file is free.
void RecordLog::shrink(Database& database) {
  const auto number = [&](const char* pragma) {
    Query query = database.query(pragma);
    return query.next() ? query.integer(0) : 0;
  };
  const std::int64_t free_pages = number("PRAGMA freelist_count");
  if (free_pages > kKeptFreePages && free_pages > number("PRAGMA page_count") / 2) database.run(kVacuum);
}

}  // namespace fermata::embedded
