#pragma once

#include "adapters/kafka/cluster.hpp"
#include "adapters/kafka/member.hpp"
#include "adapters/kafka/member_names.hpp"
#include "adapters/kafka/partitions.hpp"
#include "adapters/kafka/signal.hpp"
#include "ports/queue.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fermata::kafka {

/// The consumer port: a Member, replaced when it is of no use any more, and a thread that serves it.
///
/// The thread makes the topic and joins, rings the bell, lives through rebalances, commits, and counts the lag. Events run
/// on it, under no lock; it must not be destroyed from them. Destruction takes what a last commit takes, at most 3 s, and
/// as much for leaving.
class KafkaConsumer final : public Consumer {
 public:
  /// `options`, `cluster` and `log` outlive it. @param name  of a static member.
  KafkaConsumer(const Backend::Options& options, Cluster& cluster, telemetry::Log& log, std::string topic, std::string group,
                MemberNames::Name name, Events events);
  ~KafkaConsumer() override;

  Result<std::vector<QueueRecord>> poll(std::size_t max_records, std::size_t max_bytes) override;
  void set_gate(bool open) override;
  void commit(std::span<const PartitionOffset> offsets) override;
  std::int64_t lag() const override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  /// The writes before some offsets: raised once they are durable. Outlives the consumer if need be.
  struct Writes {
    std::atomic<bool> durable{false};
    std::shared_ptr<Signal> signal;
  };

  void run();
  void wait();
  void ring();
  void try_to_join();
  void drop_member();
  void close();

  void on_assigned(std::span<const std::int32_t> partitions, const Offsets& committed);
  void on_revoked(std::span<const std::int32_t> partitions, bool lost);
  void on_error(rd_kafka_resp_err_t error, std::string_view reason);
  void give_up(const Status& why);
  void tell_partition_error();
  bool refill_stash(std::size_t max);
  void set_part(const Status& status);

  std::shared_ptr<Writes> await_writes();
  void commit_when_due();
  void start_commit(const Offsets& offsets);
  void commit_now(std::span<const std::int32_t> partitions);
  void on_committed(rd_kafka_resp_err_t error, const Offsets& offsets);

  void look_when_due();
  void look();

  const Backend::Options& options_;
  Cluster& cluster_;
  telemetry::Log& log_;
  const std::string topic_;
  const std::string group_;
  const std::string part_;  ///< in the queue's condition
  const MemberNames::Name name_;
  const Events events_;

  const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();  ///< something for the thread to do
  Signal records_signal_;                                              ///< records came into an empty queue
  std::atomic<bool> stop_{false};
  std::atomic<bool> bell_due_{false};
  std::atomic<bool> bell_armed_{false};  ///< the last poll returned nothing
  std::atomic<bool> stale_{false};       ///< records of partitions that were revoked may take room in the member's queue
  std::atomic<bool> reading_{false};     ///< records came out: all is well
  std::atomic<bool> dirty_{false};       ///< something may be to be committed
  mutable std::atomic<bool> lag_wanted_{true};

  mutable std::mutex mutex_;        // guards this block; held while records are taken, never while anything is called that waits
  std::unique_ptr<Member> member_;  ///< changed by the thread only
  bool gate_open_ = false;
  Partitions partitions_;
  std::deque<Message> stash_;    ///< taken from the member, but too much for the last poll
  std::size_t taken_bytes_ = 0;  ///< since the fetchers were woken
  std::optional<std::pair<rd_kafka_resp_err_t, std::string>> partition_error_;

  // The thread's own.
  std::string assignors_;
  Status broken_;  ///< why the member has to be replaced
  Time join_at_;
  std::uint32_t failed_joins_ = 0;  ///< since a membership lasted
  Time joined_at_;                  ///< when partitions were assigned last
  Time commit_at_;
  Time look_at_;
  std::shared_ptr<Writes> writes_;  ///< that the next commit waits for
  Offsets waiting_;                 ///< what it will commit
  int committing_ = 0;              ///< commits on their way

  std::thread thread_;
};

}  // namespace fermata::kafka
