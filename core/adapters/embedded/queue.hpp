#pragma once

#include "adapters/embedded/record_log.hpp"
#include "adapters/embedded/writer.hpp"
#include "ports/queue.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace fermata::embedded {

/// The queue port over a RecordLog. A group has one consumer per topic here, which gets all partitions.
class SqliteQueue final : public Queue {
 public:
  /// All but buffer_bytes outlive the queue, and the queue outlives the writer's thread.
  SqliteQueue(RecordLog& log, Writer& writer, const Clock& clock, std::size_t buffer_bytes)
      : log_(log), writer_(writer), clock_(clock), buffer_bytes_(buffer_bytes) {}

  Status ensure_topic(std::string_view topic, std::int32_t partitions) override;
  Status produce(std::vector<NewRecord> records, Produced produced) override;
  /// kUnavailable while another consumer of the group reads the topic.
  Result<std::unique_ptr<Consumer>> consume(std::string_view topic, std::string_view group, Consumer::Events events) override;
  Result<std::vector<TopicInfo>> topics() override;
  Health health() const override { return writer_.health(); }

 private:
  class Batch;
  class Barrier;

  Status reserve(std::size_t bytes);

  RecordLog& log_;
  Writer& writer_;
  const Clock& clock_;
  const std::size_t buffer_bytes_;
  std::atomic<std::size_t> buffered_bytes_{0};  ///< of batches whose `produced` was not yet called
};

}  // namespace fermata::embedded
