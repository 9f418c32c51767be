#pragma once

#include "adapters/kafka/client_conf.hpp"
#include "adapters/kafka/cluster.hpp"
#include "adapters/kafka/handles.hpp"
#include "adapters/kafka/signal.hpp"
#include "ports/queue.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace fermata::kafka {

/// Appends records, with one idempotent client for all topics.
///
/// A client that the brokers refuse for good (a sequence that does not fit, brokers that are too old) is replaced by a new
/// one; what it had fails. Records stay where the caller put them until they are acknowledged: no copy. Threads: [any];
/// `Produced` is called on the producer's thread.
class Producer final : private ClientEvents {
 public:
  /// `options` and `cluster` outlive it. kInvalidArgument for contradictory properties.
  static Result<std::unique_ptr<Producer>> open(const Backend::Options& options, Cluster& cluster, telemetry::Log& log);
  /// Waits up to `operation_timeout` for acknowledgements; what has none then fails.
  ~Producer() override;

  /// As Queue::produce; the topics' names have their prefix.
  Status produce(std::vector<NewRecord> records, Queue::Produced produced);

 private:
  class Batch;
  class Outstanding;
  struct Session;

  Producer(const Backend::Options& options, Cluster& cluster, telemetry::Log& log);
  void on_error(rd_kafka_resp_err_t error, std::string_view reason) override;
  static void on_delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);

  Status start();
  void run();
  void serve();
  void discard();
  void replace();
  void settle();
  Status prepare(const std::vector<NewRecord>& records, std::size_t& bytes);
  Status reserve(std::size_t bytes);
  Status hand_over(Batch& batch);

  const Backend::Options& options_;
  Cluster& cluster_;
  std::atomic<std::size_t> buffered_bytes_{0};        ///< of batches whose `produced` was not yet called
  std::shared_ptr<Outstanding> outstanding_;          ///< also held by what waits for `after_writes`
  std::shared_mutex session_mutex_;                   // guards the next two: shared by those who use them, alone who changes them
  std::unique_ptr<Session> session_;                  ///< null while there is no usable client; changed by the producer's thread only
  Status unusable_;                                   ///< why there is none
  Status fatal_;                                      ///< [producer's thread]
  std::chrono::steady_clock::time_point replace_at_;  ///< [producer's thread]
  std::chrono::seconds pause_{1};                     ///< [producer's thread] before the next new client
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace fermata::kafka
