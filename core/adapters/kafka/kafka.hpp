#pragma once

#include "base/clock.hpp"
#include "ports/queue.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fermata::kafka {

/// The queue of a cluster, on Kafka brokers from 0.11 to 4.x.
///
/// Producing is idempotent, with acks=all. A consumer is a member of its group for as long as it lives, also while its
/// gate is closed for hours: records are held back by not reading the partitions' own queues, while the main queue goes on
/// being polled. Each consumer is a client of its own, with connections and some threads: hundreds per process, not
/// thousands.
///
/// Threads: calls [any]. Events of consumers run on a thread of that consumer, `Produced` on one thread of the producer,
/// under no lock.
class Backend {
 public:
  struct Options {
    std::vector<std::string> brokers;                       ///< "host:port", at least one
    std::string node_id;                                    ///< names this process to the brokers, and its group members if they are static
    std::string topic_prefix;                               ///< before the name of every topic and group; Backbeat has none
    std::int32_t partitions = 4;                            ///< of topics made on demand
    std::int16_t replication_factor = -1;                   ///< of topics made on demand; -1: the brokers' default (1 before Kafka 2.4)
    std::chrono::milliseconds retention{7LL * 86'400'000};  ///< of topics made on demand
    std::chrono::milliseconds commit_interval{1'000};
    std::chrono::milliseconds operation_timeout{10'000};
    std::chrono::milliseconds session_timeout{10'000};  ///< a member that is silent for so long loses its partitions
    bool static_membership = true;                      ///< a node that restarts within the session timeout causes no rebalance
    std::size_t producer_buffer_bytes = 64u << 20;
    std::size_t prefetch_bytes = 16u << 20;         ///< per consumer
    std::map<std::string, std::string> properties;  ///< of librdkafka; they win over all of the above. Never logged
    /// Calls its argument once what was put into the bulk store before is durable; commits and acknowledgements wait for it.
    std::function<void(std::function<void()>)> after_writes = [](std::function<void()> done) { done(); };
  };

  /// Connects in the background: also while no broker can be reached. kInvalidArgument, naming the property, for
  /// properties that librdkafka refuses. A broker that is too old shows in health() and in the error of every call.
  static Result<std::unique_ptr<Backend>> open(Options options, const Clock& clock, telemetry::Log& log);
  /// Waits up to `operation_timeout` for what was taken by produce. Consumers must be gone.
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  Queue& queue();

 private:
  class Impl;
  explicit Backend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::kafka
