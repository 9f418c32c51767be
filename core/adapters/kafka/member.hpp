#pragma once

#include "adapters/kafka/client_conf.hpp"
#include "adapters/kafka/handles.hpp"
#include "adapters/kafka/signal.hpp"
#include "ports/queue.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fermata::kafka {

/// One client of librdkafka as a member of a group, from joining to leaving: rebalances, records, commits, questions.
///
/// The partitions' queues are forwarded to one queue of records, which nobody but `take` reads: what is queued bounds what
/// is fetched, and the main queue can be served for ever without a record passing by.
///
/// Threads: one thread for all but `take` and `wake_fetchers`, which may run beside it, one at a time. Handlers run inside `serve` and
/// `serve_commits`.
class Member final : private ClientEvents {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  struct Handlers {
    /// Ours from now on; `committed` has the group's offset of each that has one. No record of them comes before it returns.
    std::function<void(std::span<const std::int32_t> partitions, const Offsets& committed)> on_assigned;
    /// Not ours any more. @param lost  others may have them already: nothing can be committed.
    std::function<void(std::span<const std::int32_t> partitions, bool lost)> on_revoked;
    std::function<void(rd_kafka_resp_err_t error, const Offsets& offsets)> on_committed;
    std::function<void(rd_kafka_resp_err_t error, std::string_view reason)> on_error;
  };

  /// How it takes part.
  struct Setup {
    std::string topic;
    std::string group;
    std::string name;       ///< of a static member; empty: a dynamic one
    std::string assignors;  ///< empty: as the properties say
  };

  /// `main` is raised when there is something to serve, `records` when there is something to take; they outlive it, as
  /// does `log`. Joins in the background.
  static Result<std::unique_ptr<Member>> join(const Backend::Options& options, Setup setup, Handlers handlers, Signal& main,
                                              Signal& records, telemetry::Log& log);
  /// Without leaving: the group waits for a session timeout, or for a member of the same name.
  ~Member() override;

  /// Serves rebalances, errors and log lines until there are no more.
  void serve();
  /// Takes up to `max` records or errors. Never blocks, calls nobody.
  std::vector<Message> take(std::size_t max);
  /// Lets idle fetchers look again whether there is room, which they do by themselves once a second only. Cheap.
  void wake_fetchers();

  /// Asynchronous; ends in on_committed.
  void commit(const Offsets& offsets);
  /// Serves on_committed, waiting for it until `deadline` at most. @return whether there was one.
  bool serve_commits(Deadline deadline);

  /// Whether the brokers know this member by its name, so that it may come back without a rebalance.
  bool is_static() const;
  /// Leaves the group, so that others get the partitions at once. No handler runs.
  void leave(Deadline deadline);

 private:
  Member(Setup setup, Handlers handlers, telemetry::Log& log);
  void on_error(rd_kafka_resp_err_t error, std::string_view reason) override;
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions, void* opaque);
  static void on_committed(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* offsets, void* opaque);
  void assign(rd_kafka_topic_partition_list_t& partitions);
  void revoke(rd_kafka_topic_partition_list_t& partitions);
  std::string id() const;  ///< as the group's coordinator gave it; empty: not a member
  void gate(const rd_kafka_topic_partition_list_t& partitions);
  bool await_first_assignment();

  const Setup setup_;
  const Handlers handlers_;
  bool leaving_ = false;
  bool assigned_once_ = false;
  std::string user_;              ///< as given to the client
  std::string password_;          ///< likewise
  rd_kafka_t* client_ = nullptr;  ///< ended by the destructor in its own way
  QueueHandle records_;
  QueueHandle commits_;
};

}  // namespace fermata::kafka
