#pragma once

#include "adapters/kafka/client_conf.hpp"
#include "adapters/kafka/condition.hpp"
#include "adapters/kafka/handles.hpp"
#include "ports/queue.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace fermata::kafka {

/// The brokers as a whole: whether they answer, which topics there are.
///
/// A client of its own that can never become useless, and a thread that asks for metadata every two seconds; its answers
/// are the health of the queue. Threads: [any].
class Cluster final : private ClientEvents {
 public:
  /// `options`, `clock` and `log` outlive it. Connects in the background.
  static Result<std::unique_ptr<Cluster>> open(const Backend::Options& options, const Clock& clock, telemetry::Log& log);
  ~Cluster() override;

  /// Makes the topic, with its prefix, if it is not there, within `operation_timeout`. @param partitions 0: the default.
  Status ensure_topic(const std::string& topic, std::int32_t partitions);
  /// The same for callers that must not wait long: fails at once while the brokers are known not to answer.
  Status want_topic(const std::string& topic);
  /// A topic that turned out to be missing is looked up again by the next ensure_topic.
  void forget_topic(const std::string& topic);

  /// All but internal topics, whose names begin with the prefix, which is cut off. At most 5 s.
  Result<std::vector<TopicInfo>> topics();

  /// The first (`ends` false) or next (`ends` true) offsets of a topic's partitions, at most 500 ms.
  ///
  /// A consumer's own connection would answer only after the fetch that waits there for records.
  Result<Offsets> ask_offsets(const std::string& topic, std::span<const std::int32_t> partitions, bool ends);

  bool reachable() const { return reachable_; }
  Condition& condition() { return condition_; }
  const Condition& condition() const { return condition_; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  Cluster(const Backend::Options& options, const Clock& clock, telemetry::Log& log);
  void on_error(rd_kafka_resp_err_t error, std::string_view reason) override;

  void run();
  void probe();
  bool wait_for_probe();
  bool is_known(const std::string& topic) const;
  Result<Metadata> metadata(rd_kafka_topic_t* topic, bool all, Deadline deadline);
  Result<bool> exists(const std::string& topic, Deadline deadline);
  Status create(const std::string& topic, std::int32_t partitions, int replication_factor, Deadline deadline);
  Status wait_until_there(const std::string& topic, Deadline deadline);

  const Backend::Options& options_;
  Condition condition_;
  bool told_ = false;  ///< [thread] the log says how the brokers are
  std::atomic<bool> reachable_{false};

  mutable std::mutex mutex_;  // guards all of this block
  std::condition_variable changed_;
  bool stop_ = false;
  bool probed_ = false;      ///< once
  std::string last_reason_;  ///< why a connection failed: more telling than a request's error
  std::set<std::string> known_topics_;

  Client client_;
  std::thread thread_;
};

}  // namespace fermata::kafka
