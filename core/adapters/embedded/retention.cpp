// The part of RecordLog that removes what nobody will read any more.

#include "adapters/embedded/record_log.hpp"
#include "base/time_format.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace fermata::embedded {

namespace {
constexpr std::size_t kBlocksPerPass = 256;              // at most 16 MiB of records, so that producers hardly wait
constexpr std::int64_t kKeptFreePages = 4'096;           // 64 MiB stay in the file for what comes next
constexpr std::chrono::milliseconds kJoinTime{600'000};  // consumers of a daemon that starts have joined by then
constexpr std::chrono::hours kRefreshInterval{1};
constexpr std::chrono::hours kLossReportInterval{1};  // a group that was left behind for good must not fill the log
constexpr const char* kVacuum = "PRAGMA incremental_vacuum(2048)";
}  // namespace

/// The offsets that the groups of a topic still need in a partition.
struct RecordLog::Hold {
  std::int64_t by_any;     ///< of any group; 0 if there never was one
  std::int64_t by_active;  ///< of those that are active; beyond all if there is none
};

bool RecordLog::maintain(Database& database) {
  std::vector<Topic*> all;
  {
    const std::shared_lock lock(topics_mutex_);
    for (const auto& [name, topic] : topics_) all.push_back(topic.get());
  }
  refresh_active();
  std::size_t removed = 0;
  for (Topic* topic : all) {
    removed += remove_done(database, *topic, kBlocksPerPass - removed);
    if (removed == kBlocksPerPass) return true;
  }
  report_lost();
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
    if (is_active(*group)) hold.by_active = std::min(hold.by_active, position);
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
      const bool expired = partition.oldest_ms <= too_old_ms && blocks.integer(1) <= held.by_active;
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
  if (held.by_any < end) note_lost(topic, id, end);
  partition.first = end;
  return rows.size();
}

// Consumers join a while after the daemon has started, and a daemon may have been down for longer than the retention: what
// is stored does not suffice. What this process has seen does not either: it may be restarted more often than the retention.
bool RecordLog::is_active(const Group& group) const {
  if (group.live) return true;
  const auto steady_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady().time_since_epoch()).count();
  if (steady_ms - group.idle_since_ms < std::min(options_.retention, kJoinTime).count()) return true;
  return to_unix_ms(clock_.now()) - group.active_ms < options_.retention.count();
}

// So that the stored time of a group that lives and does nothing is not too old after a crash.
void RecordLog::refresh_active() {
  if (clock_.steady() < next_refresh_) return;
  next_refresh_ = clock_.steady() + kRefreshInterval;
  std::vector<std::shared_ptr<Group>> live;
  {
    const std::shared_lock lock(topics_mutex_);
    for (const auto& [topic, groups] : groups_)
      for (const auto& [name, group] : groups)
        if (group->live) live.push_back(group);
  }
  for (const auto& group : live) mark_dirty(group);
}

void RecordLog::note_lost(const Topic& topic, std::int32_t partition, std::int64_t end) {
  const std::shared_lock lock(topics_mutex_);
  const auto groups = groups_.find(topic.id());
  if (groups == groups_.end()) return;
  for (const auto& [name, group] : groups->second) {
    const std::int64_t lost = std::max<std::int64_t>(0, end - group->position(partition));
    group->lost += lost;
    any_lost_ = any_lost_ || lost > 0;
  }
}

void RecordLog::report_lost() {
  if (!any_lost_ || clock_.steady() < next_loss_report_) return;
  next_loss_report_ = clock_.steady() + kLossReportInterval;
  any_lost_ = false;
  const std::shared_lock lock(topics_mutex_);
  for (const auto& [topic, groups] : groups_) {
    for (const auto& [name, group] : groups) {
      const std::int64_t lost = std::exchange(group->lost, 0);
      if (lost == 0) continue;
      log_.warn("queue", "records were removed that a group without a consumer had not read, as they are older than queue.retention",
                {{"topic", group->topic.name()}, {"group", name}, {"records", std::to_string(lost)}});
    }
  }
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
