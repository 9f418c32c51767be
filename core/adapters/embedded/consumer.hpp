#pragma once

#include "adapters/embedded/record_log.hpp"
#include "ports/queue.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace fermata::embedded {

/// The one member of a group on a topic: positions in a log, and a bell. It costs no thread, timer or statement.
/// on_assigned is called from the first poll.
class SqliteConsumer final : public Consumer {
 public:
  /// @param group  already marked live; the destructor unmarks it.
  SqliteConsumer(RecordLog& log, std::shared_ptr<Group> group, Events events);
  ~SqliteConsumer() override;

  Result<std::vector<QueueRecord>> poll(std::size_t max_records, std::size_t max_bytes) override;
  void set_gate(bool open) override;
  void commit(std::span<const PartitionOffset> offsets) override { log_.commit(group_, offsets); }
  std::int64_t lag() const override;

 private:
  /// What one poll gathers, and how far it got.
  struct Take {
    std::vector<QueueRecord> records;
    std::vector<std::int64_t> positions;
    std::size_t max_records;
    std::size_t room_bytes;
    bool full;
  };

  void assign();
  Status fill(Take& take);
  Status fill_from(Take& take, std::int32_t partition);
  static void copy(Take& take, const Block& block, std::int32_t partition);
  Result<std::vector<QueueRecord>> accept(Take take);

  RecordLog& log_;
  const std::shared_ptr<Group> group_;
  Topic& topic_;
  const Events events_;
  const std::shared_ptr<Bell> bell_;
  bool assigned_ = false;                // the polling caller only
  std::int32_t turn_ = 0;                // the polling caller only: the partition that goes first
  std::vector<std::int64_t> positions_;  // the polling caller only: the next record of each partition
  std::mutex mutex_;                     // guards gate_open_
  bool gate_open_ = false;
};

}  // namespace fermata::embedded
