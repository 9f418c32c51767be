#include "adapters/kafka/queue.hpp"

#include "adapters/kafka/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace fermata::kafka {
namespace {

constexpr std::size_t kMaxTopicBytes = 249;
constexpr std::size_t kMaxGroupBytes = 1'024;  // the protocol has room for 32 KiB

Status check_topic(std::string_view topic) {
  const auto legal = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  if (!topic.empty() && topic.size() <= kMaxTopicBytes && topic != "." && topic != ".." && std::all_of(topic.begin(), topic.end(), legal))
    return Status::ok();
  return {Code::kInvalidArgument,
          fmt::format("topic '{}': Kafka wants 1 to {} of the characters a-z A-Z 0-9 . _ -", topic, kMaxTopicBytes)};
}

}  // namespace

KafkaQueue::KafkaQueue(const Backend::Options& options, Cluster& cluster, Producer& producer, telemetry::Log& log)
    : options_(options), cluster_(cluster), producer_(producer), log_(log), names_(options.node_id) {}

Status KafkaQueue::ensure_topic(std::string_view topic, std::int32_t partitions) {
  const std::string name = options_.topic_prefix + std::string(topic);
  if (Status legal = check_topic(name); !legal) return legal;
  return cluster_.ensure_topic(name, partitions);
}

Status KafkaQueue::produce(std::vector<NewRecord> records, Produced produced) {
  const std::string* checked = nullptr;
  for (auto& record : records) {
    if (!options_.topic_prefix.empty()) record.topic.insert(0, options_.topic_prefix);
    if (checked != nullptr && *checked == record.topic) continue;
    if (Status legal = check_topic(record.topic); !legal) return legal;
    checked = &record.topic;
  }
  return producer_.produce(std::move(records), std::move(produced));
}

Result<std::unique_ptr<Consumer>> KafkaQueue::consume(std::string_view topic, std::string_view group, Consumer::Events events) {
  const std::string topic_name = options_.topic_prefix + std::string(topic);
  const std::string group_name = options_.topic_prefix + std::string(group);
  if (Status legal = check_topic(topic_name); !legal) return legal;
  if (group.empty() || group_name.size() > kMaxGroupBytes)
    return Status(Code::kInvalidArgument, fmt::format("group '{}': its name must have 1 to {} bytes", group_name, kMaxGroupBytes));
  // Else the consumer goes on trying.
  if (Status there = cluster_.want_topic(topic_name); !there && !there.retryable()) return there;
  return std::unique_ptr<Consumer>(std::make_unique<KafkaConsumer>(options_, cluster_, log_, topic_name, group_name,
                                                                   names_.claim(topic_name, group_name), std::move(events)));
}

Result<std::vector<TopicInfo>> KafkaQueue::topics() { return cluster_.topics(); }

Health KafkaQueue::health() const { return cluster_.condition().get(); }

}  // namespace fermata::kafka
