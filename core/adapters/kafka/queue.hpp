#pragma once

#include "adapters/kafka/cluster.hpp"
#include "adapters/kafka/member_names.hpp"
#include "adapters/kafka/producer.hpp"
#include "ports/queue.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::kafka {

/// The queue port. Puts the prefix before the names of topics and groups, here and nowhere else. Threads: [any].
class KafkaQueue final : public Queue {
 public:
  /// All outlive it.
  KafkaQueue(const Backend::Options& options, Cluster& cluster, Producer& producer, telemetry::Log& log);

  Status ensure_topic(std::string_view topic, std::int32_t partitions) override;
  /// kUnavailable also for a topic that was not used before while the brokers cannot be asked whether it is there.
  Status produce(std::vector<NewRecord> records, Produced produced) override;
  /// Succeeds also while the brokers do not answer: the consumer makes the topic and joins once they do.
  Result<std::unique_ptr<Consumer>> consume(std::string_view topic, std::string_view group, Consumer::Events events) override;
  Result<std::vector<TopicInfo>> topics() override;
  Health health() const override;

 private:
  const Backend::Options& options_;
  Cluster& cluster_;
  Producer& producer_;
  telemetry::Log& log_;
  MemberNames names_;
};

}  // namespace fermata::kafka
