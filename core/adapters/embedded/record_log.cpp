#include "adapters/embedded/record_log.hpp"

#include "base/time_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace fermata::embedded {

namespace {
constexpr std::size_t kMaxTopicBytes = 255;
constexpr std::int32_t kMaxPartitions = 1'024;
}  // namespace

/// Makes a topic's row.
class RecordLog::Creation final : public Work {
 public:
  explicit Creation(Topic& topic) : topic_(topic) {}
  void apply(Database& database) override {
    database.run("INSERT INTO topics(id, name, partitions, heads) VALUES(?, ?, ?, '')", topic_.id(), std::string_view(topic_.name()),
                 std::int64_t{topic_.partition_count()});
  }
  void committed() override { topic_.set_durable(); }
  bool failed(const Status&) override { return true; }
  std::size_t bytes() const override { return sizeof(*this); }

 private:
  Topic& topic_;
};

RecordLog::RecordLog(Options options, Writer& writer, ReaderPool& readers, Executor& dispatcher, const Clock& clock, telemetry::Log& log)
    : options_(options),
      writer_(writer),
      readers_(readers),
      dispatcher_(dispatcher),
      clock_(clock),
      log_(log),
      cache_(options.cache_bytes) {
  load_topics(writer.database());
  load_groups(writer.database());
}

void RecordLog::load_topics(Database& database) {
  Query rows = database.query("SELECT id, name, partitions, heads FROM topics");
  while (rows.next()) {
    const auto count = static_cast<std::int32_t>(rows.integer(2));
    auto topic = std::make_unique<Topic>(rows.integer(0), std::string(rows.bytes(1)), count);
    const auto heads = parse_offsets(rows.bytes(3), static_cast<std::size_t>(count));
    for (std::int32_t id = 0; id < count; ++id) load_extent(database, *topic, id, heads[static_cast<std::size_t>(id)]);
    topic->set_durable();
    last_topic_id_ = std::max(last_topic_id_, topic->id());
    topics_.emplace(topic->name(), std::move(topic));
  }
}

void RecordLog::load_extent(Database& database, Topic& topic, std::int32_t id, std::int64_t known_head) {
  Partition& partition = topic.partition(id);
  partition.head = partition.first = known_head;
  Query first =
      database.query("SELECT first FROM blocks WHERE topic = ? AND partition = ? ORDER BY first LIMIT 1", topic.id(), std::int64_t{id});
  if (first.next()) partition.first = first.integer(0);
  Query last = database.query("SELECT first + count FROM blocks WHERE topic = ? AND partition = ? ORDER BY first DESC LIMIT 1", topic.id(),
                              std::int64_t{id});
  if (last.next()) partition.head = std::max(known_head, last.integer(0));
  partition.next = partition.head;
}

void RecordLog::load_groups(Database& database) {
  std::map<std::int64_t, Topic*> by_id;
  for (const auto& [name, topic] : topics_) by_id.emplace(topic->id(), topic.get());
  Query rows = database.query("SELECT topic, name, offsets, active_ms FROM groups");
  while (rows.next()) {
    const auto topic = by_id.find(rows.integer(0));
    if (topic == by_id.end()) continue;
    auto group = std::make_shared<Group>(*topic->second, std::string(rows.bytes(1)));
    const auto offsets = parse_offsets(rows.bytes(2), group->committed.size());
    std::ranges::copy(offsets, group->committed.begin());
    set_idle(*group);
    const std::int64_t stored_ms = rows.integer(3);
    if (stored_ms > 0 && stored_ms < group->active_ms)  // a time to come was written under a wrong clock
      group->active_ms = stored_ms;
    else
      mark_dirty(group);
    groups_[topic->first].emplace(group->name, std::move(group));
  }
}

Result<Topic*> RecordLog::topic(std::string_view name, std::int32_t partitions) {
  {
    const std::shared_lock lock(topics_mutex_);
    if (const auto known = topics_.find(name); known != topics_.end()) return known->second.get();
  }
  if (name.empty() || name.size() > kMaxTopicBytes)
    return Status(Code::kInvalidArgument, fmt::format("topic '{}': its name must have 1 to {} bytes", name, kMaxTopicBytes));
  if (partitions < 0 || partitions > kMaxPartitions)
    return Status(Code::kInvalidArgument, fmt::format("topic '{}': {} partitions, of 1 to {}", name, partitions, kMaxPartitions));
  const std::unique_lock lock(topics_mutex_);
  auto& topic = topics_[std::string(name)];
  if (!topic) {
    topic = std::make_unique<Topic>(++last_topic_id_, std::string(name), partitions == 0 ? options_.default_partitions : partitions);
    writer_.submit(std::make_unique<Creation>(*topic), false);
  }
  return topic.get();
}

std::vector<const Topic*> RecordLog::topics() const {
  std::vector<const Topic*> all;
  const std::shared_lock lock(topics_mutex_);
  for (const auto& [name, topic] : topics_) all.push_back(topic.get());
  return all;
}

std::shared_ptr<Group> RecordLog::group(Topic& topic, std::string_view name) {
  std::shared_ptr<Group> group;
  {
    const std::unique_lock lock(topics_mutex_);
    auto& groups = groups_[topic.id()];
    if (const auto known = groups.find(name); known != groups.end()) return known->second;
    group = std::make_shared<Group>(topic, std::string(name));
    set_idle(*group);
    for (std::int32_t id = 0; id < topic.partition_count(); ++id)
      group->committed[static_cast<std::size_t>(id)] = topic.partition(id).first.load();
    groups.emplace(group->name, group);
  }
  mark_dirty(group);
  return group;
}

void RecordLog::commit(const std::shared_ptr<Group>& group, std::span<const PartitionOffset> offsets) {
  bool moved = false;
  for (const auto& [partition, offset] : offsets) {
    if (partition < 0 || partition >= group->topic.partition_count()) continue;
    auto& committed = group->committed[static_cast<std::size_t>(partition)];
    if (offset <= committed || offset > group->topic.partition(partition).head) continue;
    committed = offset;
    moved = true;
  }
  if (moved) mark_dirty(group);
}

void RecordLog::leave(const std::shared_ptr<Group>& group) {
  set_idle(*group);
  group->live = false;  // last: whoever sees it sees since when
  mark_dirty(group);
}

void RecordLog::set_idle(Group& group) const {
  group.active_ms = to_unix_ms(clock_.now());
  group.idle_since_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady().time_since_epoch()).count();
}

void RecordLog::mark_dirty(const std::shared_ptr<Group>& group) {
  if (group->dirty.exchange(true)) return;
  const std::lock_guard lock(dirty_mutex_);
  dirty_.push_back(group);
}

void RecordLog::append(Topic& topic, std::int32_t id, std::int64_t timestamp_ms, std::string_view key, std::string_view value) {
  Partition& partition = topic.partition(id);
  if (partition.appended.empty()) touched_.emplace_back(&topic, id);
  if (partition.appended.empty() || partition.appended.back()->full())
    partition.appended.push_back(std::make_shared<Block>(partition.next));
  partition.appended.back()->append(timestamp_ms, key, value);
  ++partition.next;
}

Result<std::shared_ptr<const Block>> RecordLog::read(const Topic& topic, std::int32_t partition, std::int64_t offset) {
  if (auto cached = cache_.find(topic.id(), partition, offset)) return cached;
  try {
    auto reader = readers_.take();
    // The last block that begins at or before the offset holds it, unless it was removed: then the next one counts.
    Query holding = reader->query(
        "SELECT first, data FROM blocks WHERE topic = ? AND partition = ? AND first <= ? AND first + count > ?"
        " ORDER BY first DESC LIMIT 1",
        topic.id(), std::int64_t{partition}, offset, offset);
    Query after = reader->query("SELECT first, data FROM blocks WHERE topic = ? AND partition = ? AND first > ? ORDER BY first LIMIT 1",
                                topic.id(), std::int64_t{partition}, offset);
    Query* found = holding.next() ? &holding : after.next() ? &after : nullptr;
    if (found == nullptr) return std::shared_ptr<const Block>();
    auto block = Block::parse(found->integer(0), found->bytes(1));
    if (!block)
      return Status(Code::kDataLoss, fmt::format("topic {}, partition {}: {}", topic.name(), partition, block.status().message()));
    cache_.insert(topic.id(), partition, *block);
    return block;
  } catch (const SqlError& error) {
    return error.status();
  }
}

void RecordLog::begin_tick() {
  std::vector<std::shared_ptr<Group>> dirty;
  {
    const std::lock_guard lock(dirty_mutex_);
    dirty.swap(dirty_);
  }
  for (auto& group : dirty) {
    if (group->live) group->active_ms = to_unix_ms(clock_.now());
    group->dirty = false;  // before the offsets are read: a commit from now on counts for the next tick
    const std::vector<std::int64_t> offsets(group->committed.begin(), group->committed.end());
    offsets_to_write_.emplace_back(std::move(group), format_offsets(offsets));
  }
}

void RecordLog::write_tick(Database& database) {
  for (const auto& [group, offsets] : offsets_to_write_)
    database.run("INSERT OR REPLACE INTO groups(topic, name, offsets, active_ms) VALUES(?, ?, ?, ?)", group->topic.id(),
                 std::string_view(group->name), std::string_view(offsets), group->active_ms.load());
}

void RecordLog::finish(Database& database) {
  for (const auto& [topic, id] : touched_)
    for (const auto& block : topic->partition(id).appended)
      database.run("INSERT INTO blocks(topic, partition, first, count, last_ms, data) VALUES(?, ?, ?, ?, ?, ?)", topic->id(),
                   std::int64_t{id}, block->first(), block->end() - block->first(), block->last_ms(), Blob{block->data()});
}

void RecordLog::committed() {
  std::vector<Topic*> grown;
  for (const auto& [topic, id] : touched_) {
    Partition& partition = topic->partition(id);
    for (auto& block : partition.appended) cache_.insert(topic->id(), id, std::move(block));
    partition.appended.clear();
    partition.head = partition.next;
    grown.push_back(topic);
  }
  touched_.clear();
  offsets_to_write_.clear();
  std::sort(grown.begin(), grown.end());
  grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
  for (Topic* topic : grown) topic->ring(dispatcher_);
}

void RecordLog::rolled_back() {
  for (const auto& [topic, id] : touched_) {
    Partition& partition = topic->partition(id);
    partition.appended.clear();
    partition.next = partition.head;
  }
  touched_.clear();
  for (const auto& [group, offsets] : offsets_to_write_) mark_dirty(group);
  offsets_to_write_.clear();
}

}  // namespace fermata::embedded
