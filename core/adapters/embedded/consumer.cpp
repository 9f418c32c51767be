#include "adapters/embedded/consumer.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

namespace fermata::embedded {

namespace {
constexpr std::chrono::milliseconds kReadRetry{500};
}

SqliteConsumer::SqliteConsumer(RecordLog& log, std::shared_ptr<Group> group, Events events)
    : log_(log), group_(std::move(group)), topic_(group_->topic), events_(std::move(events)), bell_(std::make_shared<Bell>()) {
  bell_->ring = events_.on_ready;
  for (std::int32_t id = 0; id < topic_.partition_count(); ++id) positions_.push_back(group_->position(id));
}

SqliteConsumer::~SqliteConsumer() {
  topic_.stop_waiting(bell_);
  bell_->guard.close();
  log_.leave(group_);
}

void SqliteConsumer::assign() {
  assigned_ = true;
  std::vector<std::int32_t> all(positions_.size());
  std::iota(all.begin(), all.end(), 0);
  if (events_.on_assigned) events_.on_assigned(all);
}

Result<std::vector<QueueRecord>> SqliteConsumer::poll(std::size_t max_records, std::size_t max_bytes) {
  if (!assigned_) assign();
  {
    const std::lock_guard lock(mutex_);
    if (!gate_open_) return std::vector<QueueRecord>();
  }
  Take take{{}, positions_, max_records, max_bytes, max_records == 0};
  do {
    const Status filled = fill(take);
    if (!filled && take.records.empty()) {
      log_.dispatcher().post_after(kReadRetry, [bell = bell_] { bell->guard.run(bell->ring); });
      return filled;
    }
  } while (take.records.empty() && max_records > 0 && !topic_.wait_for_more(bell_, take.positions));
  return accept(std::move(take));
}

Status SqliteConsumer::fill(Take& take) {
  const std::int32_t count = topic_.partition_count();
  const std::int32_t start = std::exchange(turn_, (turn_ + 1) % count);
  for (std::int32_t i = 0; i < count && !take.full; ++i)
    if (auto filled = fill_from(take, (start + i) % count); !filled) return filled;
  return Status::ok();
}

Status SqliteConsumer::fill_from(Take& take, std::int32_t partition) {
  std::int64_t& position = take.positions[static_cast<std::size_t>(partition)];
  const std::int64_t head = topic_.partition(partition).head;
  while (position < head && !take.full) {
    auto block = log_.read(topic_, partition, position);
    if (!block) return block.status();
    if (*block == nullptr) {  // removed as too old while nobody was here
      position = head;
      break;
    }
    position = std::max(position, (*block)->first());
    copy(take, **block, partition);
  }
  return Status::ok();
}

void SqliteConsumer::copy(Take& take, const Block& block, std::int32_t partition) {
  std::int64_t& position = take.positions[static_cast<std::size_t>(partition)];
  for (; position < block.end(); ++position) {
    const std::size_t size = block.record_bytes(position);
    if (take.records.size() == take.max_records || (size > take.room_bytes && !take.records.empty())) {
      take.full = true;
      return;
    }
    take.room_bytes -= std::min(size, take.room_bytes);
    take.records.push_back(block.record(partition, position));
  }
}

// A gate that closed meanwhile wins: the records are taken again when it opens.
Result<std::vector<QueueRecord>> SqliteConsumer::accept(Take take) {
  const std::lock_guard lock(mutex_);
  if (!gate_open_) return std::vector<QueueRecord>();
  positions_ = std::move(take.positions);
  return std::move(take.records);
}

void SqliteConsumer::set_gate(bool open) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(gate_open_, open) == open || !open) return;
  }
  log_.dispatcher().post([bell = bell_] { bell->guard.run(bell->ring); });
}

std::int64_t SqliteConsumer::lag() const {
  std::int64_t sum = 0;
  for (std::int32_t id = 0; id < topic_.partition_count(); ++id)
    sum += std::max<std::int64_t>(0, topic_.partition(id).head - group_->position(id));
  return sum;
}

}  // namespace fermata::embedded
