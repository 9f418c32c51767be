#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "pipeline/context.hpp"
#include "pipeline/gate.hpp"
#include "pipeline/key_lanes.hpp"
#include "pipeline/offset_ledger.hpp"
#include "pipeline/retry_schedule.hpp"
#include "pipeline/service_pipelines.hpp"
#include "ports/queue.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fermata::pipeline {

/// What a processor did since start, for metrics.
struct ProcessorTotals {
  std::int64_t done = 0;
  std::int64_t retried = 0;
  std::int64_t postponed = 0;
  std::int64_t failed = 0;
  std::int64_t skipped = 0;
  std::int64_t in_flight = 0;
  std::int64_t in_flight_bytes = 0;
  std::int64_t prefetched = 0;
  std::int64_t prefetched_bytes = 0;
  std::int64_t retrying = 0;
  std::int64_t stuck = 0;
  std::int64_t lag = 0;
};

/// One processor: reads its topic as a member of its group and feeds the plugin, in order per key.
///
/// One task at a time (the pump) polls, delivers, commits and reports; it is posted whenever something changed and ends
/// when there is nothing to do, so an idle processor costs memory only. Completions, from any thread, only change the
/// books and post the pump.
///
/// Lifecycle:  construct (by make_shared) -> start -> close -> destroy. Deliveries that are not completed keep it alive.
/// Threads:    [any]. Lock order: consumer_mutex_, mutex_, the gate's. Executors and timers are called under mutex_: they
///             never run a task inside.
class ProcessorPipeline final : public std::enable_shared_from_this<ProcessorPipeline> {
 public:
  ProcessorPipeline(ProcessorSpec spec, std::shared_ptr<Context> context);

  const ProcessorSpec& spec() const { return spec_; }

  /// Joins the group; does nothing if it did. May block for I/O, at most 10 s.
  Status start();
  /// See Gate: after closing returned nothing is delivered.
  void set_gate(bool open);
  /// Passes what is done to the consumer.
  void commit();
  /// Waits until nothing is in flight. @return how many records are.
  std::int64_t wait_idle(SteadyTime deadline);
  /// Commits, leaves the group; later completions are ignored. Idempotent.
  void close();
  /// Names, in the log and in `counts`, the records that have been in flight for longer than PipelineOptions::stuck_after.
  void look_for_stuck();
  /// What waits for its next try is due now.
  void hurry();

  void add_to(LocationCounts& counts) const;
  void show_error_in(LocationCounts& counts) const;
  ProcessorTotals totals() const;

 private:
  class Delivery;

  // The pump and its steps.
  void schedule();  // mutex_ held
  void pump();
  bool step();  // false: nothing to do
  void end_run();
  bool has_work() const;    // mutex_ held
  bool wants_poll() const;  // mutex_ held
  bool has_room() const;    // mutex_ held
  void apply_gate();
  void poll();
  void take(std::vector<QueueRecord> records);  // mutex_ held
  void deliver(Entry& entry);
  bool may_be_redelivered(const Entry& entry) const;  // mutex_ held
  void release_due();                                 // mutex_ held
  void arm_retry_timer();                             // mutex_ held
  void report();

  // Completion, from any thread.
  void complete(Entry& entry, Outcome outcome, std::string_view text);
  Status give_up(const Entry& entry, std::string_view reason);
  void name_stuck();  // mutex_ held
  void settle(Entry& entry, Outcome outcome, std::string_view text);

  // The consumer's events.
  void on_ready();
  void on_assigned(std::span<const std::int32_t> partitions);
  void on_revoked(std::span<const std::int32_t> partitions);
  void start_leaving(std::span<const std::int32_t> partitions);
  void await_leaving();
  void finish_leaving(std::span<const std::int32_t> partitions);

  bool is_quiet() const { return !gate_.is_open() && in_flight_ == 0; }  // mutex_ held
  std::int64_t lag() const;

  const ProcessorSpec spec_;
  const std::shared_ptr<Context> context_;
  const std::uint32_t max_in_flight_;
  Gate gate_;

  // Held while the consumer is called, and while what poll returned is entered into the books, so that a revocation comes
  // before or after both. Recursive: a consumer may run its events inside poll.
  mutable std::recursive_mutex consumer_mutex_;
  std::unique_ptr<Consumer> consumer_;  // guarded by consumer_mutex_
  mutable std::atomic<std::int64_t> last_lag_{0};

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable idle_;
  KeyLanes lanes_;
  std::map<std::int32_t, OffsetLedger> ledgers_;
  std::map<std::int32_t, std::int64_t> assigned_ms_;  // when the partition became ours
  RetrySchedule retries_;
  std::optional<SteadyTime> timer_due_;
  TimerId timer_ = 0;
  bool retry_due_ = false;
  std::int64_t in_flight_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::int64_t retrying_ = 0;
  ProcessorTotals totals_;
  LastError last_error_;
  int storing_ = 0;       // calls of the failed store that run
  bool started_ = false;  // there is a consumer
  bool closed_ = false;
  bool pumping_ = false;        // the pump is posted or runs
  bool running_ = false;        // it runs
  bool consumer_open_ = false;  // the consumer's gate, as last set
  bool may_poll_ = false;       // the bell rang and poll has not come back empty since
  bool dirty_ = false;          // something may be committed
  bool ticking_ = false;        // the ticker will call commit
  bool reported_quiet_ = true;
  std::int64_t stuck_count_ = 0;
  std::string stuck_;           // names the record that is stuck for the longest time; empty: none is
  std::int64_t leaving_ = 0;    // in flight, of partitions that are being taken away
  bool stuck_is_news_ = false;  // that changed and was not reported yet
};

}  // namespace fermata::pipeline
