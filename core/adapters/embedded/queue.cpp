#include "adapters/embedded/queue.hpp"

#include "adapters/embedded/consumer.hpp"
#include "base/time_format.hpp"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <utility>

namespace fermata::embedded {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxRecordBytes = 1u << 20;
constexpr std::size_t kMaxGroupBytes = 255;
constexpr std::size_t kRecordOverhead = 100;

}  // namespace

/// The records of one produce call. They are in one transaction, so all or none are there.
class SqliteQueue::Batch final : public Work {
 public:
  Batch(SqliteQueue& queue, std::vector<NewRecord> records, std::vector<Topic*> topics, std::size_t bytes, Produced produced)
      : queue_(queue), records_(std::move(records)), topics_(std::move(topics)), bytes_(bytes), produced_(std::move(produced)) {}

  void apply(Database&) override {
    const std::int64_t now_ms = to_unix_ms(queue_.clock_.now());
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const NewRecord& record = records_[i];
      queue_.log_.append(*topics_[i], topics_[i]->partition_of(record.key), now_ms, record.key, record.value);
    }
    records_ = {};  // the log has a copy
  }
  void committed() override { answer(Status::ok()); }
  bool failed(const Status& why) override {
    answer(why);
    return false;
  }
  std::size_t bytes() const override { return bytes_; }

 private:
  void answer(const Status& status) {
    queue_.log_.dispatcher().post([&queue = queue_, bytes = bytes_, produced = std::move(produced_), status] {
      queue.buffered_bytes_ -= bytes;
      if (produced) produced(status);
    });
  }

  SqliteQueue& queue_;
  std::vector<NewRecord> records_;
  std::vector<Topic*> topics_;  ///< of each record
  std::size_t bytes_;
  Produced produced_;
};

/// Tells when everything submitted before it is durable.
class SqliteQueue::Barrier final : public Work {
 public:
  explicit Barrier(std::promise<void> reached) : reached_(std::move(reached)) {}
  void apply(Database&) override {}
  void committed() override { reached_.set_value(); }
  bool failed(const Status&) override { return true; }
  std::size_t bytes() const override { return sizeof(*this); }

 private:
  std::promise<void> reached_;
};

Status SqliteQueue::ensure_topic(std::string_view topic, std::int32_t partitions) {
  auto made = log_.topic(topic, partitions);
  if (!made) return made.status();
  if ((*made)->durable()) return Status::ok();
  std::promise<void> promise;
  auto reached = promise.get_future();
  writer_.submit(std::make_unique<Barrier>(std::move(promise)), true);
  if (reached.wait_for(10s) == std::future_status::ready) return Status::ok();
  return {Code::kUnavailable, fmt::format("topic {} is not stored yet: {}", topic, writer_.health().reason)};
}

Status SqliteQueue::reserve(std::size_t bytes) {
  std::size_t buffered = buffered_bytes_;
  do {
    // A batch that is larger than the whole buffer passes when nothing else waits.
    if (buffered > 0 && buffered + bytes > buffer_bytes_)
      return {Code::kResourceExhausted, fmt::format("{} bytes wait to be produced, of at most {}: try later", buffered, buffer_bytes_)};
  } while (!buffered_bytes_.compare_exchange_weak(buffered, buffered + bytes));
  return Status::ok();
}

Status SqliteQueue::produce(std::vector<NewRecord> records, Produced produced) {
  std::vector<Topic*> topics;
  topics.reserve(records.size());
  std::size_t bytes = kRecordOverhead;
  for (const auto& record : records) {
    const std::size_t size = record.key.size() + record.value.size();
    if (size > kMaxRecordBytes)
      return {Code::kInvalidArgument, fmt::format("a record of {} bytes for topic {}, of at most {}", size, record.topic, kMaxRecordBytes)};
    bytes += size + kRecordOverhead;
    if (!topics.empty() && topics.back()->name() == record.topic) {
      topics.push_back(topics.back());
      continue;
    }
    auto topic = log_.topic(record.topic, 0);
    if (!topic) return topic.status();
    topics.push_back(*topic);
  }
  if (auto room = reserve(bytes); !room) return room;
  writer_.submit(std::make_unique<Batch>(*this, std::move(records), std::move(topics), bytes, std::move(produced)), true);
  return Status::ok();
}

Result<std::unique_ptr<Consumer>> SqliteQueue::consume(std::string_view topic, std::string_view group, Consumer::Events events) {
  if (group.empty() || group.size() > kMaxGroupBytes)
    return Status(Code::kInvalidArgument, fmt::format("group '{}': its name must have 1 to {} bytes", group, kMaxGroupBytes));
  auto known = log_.topic(topic, 0);
  if (!known) return known.status();
  auto joined = log_.group(**known, group);
  if (joined->live.exchange(true))
    return Status(Code::kUnavailable,
                  fmt::format("group {} has a consumer of topic {} already: close it, or give this one a group of its own", group, topic));
  return std::unique_ptr<Consumer>(std::make_unique<SqliteConsumer>(log_, std::move(joined), std::move(events)));
}

Result<std::vector<TopicInfo>> SqliteQueue::topics() {
  std::vector<TopicInfo> infos;
  for (const Topic* topic : log_.topics()) {
    TopicInfo& info = infos.emplace_back();
    info.name = topic->name();
    for (std::int32_t id = 0; id < topic->partition_count(); ++id)
      info.partitions.push_back({.id = id, .leader = 0, .replicas = {0}, .in_sync = {0}});
  }
  return infos;
}

}  // namespace fermata::embedded
