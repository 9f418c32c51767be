#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "pipeline/context.hpp"
#include "pipeline/gate.hpp"
#include "pipeline/service_pipelines.hpp"
#include "ports/leases.hpp"
#include "ports/state_store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace fermata::pipeline {

/// What a populator did since start, for metrics.
struct PopulatorTotals {
  std::int64_t records = 0;
  std::int64_t batches = 0;
  std::int64_t errors = 0;
  bool active = false;  ///< holds the lease
};

/// One populator: while it holds its lease and its gate is open, it goes round a cycle of poll, produce, save the
/// checkpoint. A cycle that has begun is finished, whatever the gate does; losing the lease ends it without saving.
///
/// Plugin code and produce run on the workers, calls of the state store on the control executor.
///
/// Lifecycle:  construct (by make_shared) -> start -> close -> destroy. An unfinished poll keeps it alive.
/// Threads:    [any]. Lock order: mutex_, the gate's. Executors are called under mutex_: they never run a task inside.
class PopulatorPipeline final : public std::enable_shared_from_this<PopulatorPipeline> {
 public:
  PopulatorPipeline(PopulatorSpec spec, std::shared_ptr<Context> context);

  const PopulatorSpec& spec() const { return spec_; }

  /// Campaigns for the lease; does nothing if it does already.
  void start();
  /// See Gate: after closing returned no poll begins. Opening cuts an idle time short.
  void set_gate(bool open);
  /// Cuts an idle time short, also the one that an unfinished poll will ask for.
  void wake();
  /// Waits until no cycle is under way. @return false if one still is.
  bool wait_idle(SteadyTime deadline);
  /// Gives up the lease; what comes later is ignored. Waits for a call of the state store that runs, at most 6 s. Idempotent.
  void close();

  void add_to(LocationCounts& counts) const;
  /// Only what went wrong last.
  void show_error_in(LocationCounts& counts) const;
  PopulatorTotals totals() const;

 private:
  class Poll;
  using Step = void (PopulatorPipeline::*)(std::uint64_t term);

  void on_granted();
  void on_lost();

  // Posts a step of the cycle; mutex_ held. A step of an earlier term than now's ends the cycle instead.
  void post(Executor& executor, Step step);
  void run(Step step, std::uint64_t term);
  void report();

  // Begins a cycle if one may begin; mutex_ held.
  void advance();
  // The cycle, in order.
  void read_checkpoint(std::uint64_t term);
  void poll(std::uint64_t term);
  void finish_poll(std::uint64_t term, Result<PolledBatch> batch);
  void produce(std::uint64_t term);
  void finish_produce(std::uint64_t term, const Status& status);
  void save_checkpoint(std::uint64_t term);
  // Its ends; mutex_ held.
  void end_cycle();
  void end_cycle_after(std::chrono::milliseconds pause, bool is_idle);
  void fail_cycle(const Status& status);
  // The step that ends a cycle of an earlier term.
  void end_stale(std::uint64_t term);

  void stop_waiting();                                          // mutex_ held
  bool is_quiet() const { return !gate_.is_open() && !busy_; }  // mutex_ held

  const PopulatorSpec spec_;
  const std::shared_ptr<Context> context_;
  const std::string path_;  // of the checkpoint
  Gate gate_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable idle_;
  std::unique_ptr<Leases::Campaign> campaign_;
  bool leased_ = false;
  std::uint64_t term_ = 0;  // counts up with each grant and loss
  bool busy_ = false;       // a cycle is under way
  bool closed_ = false;
  int calls_ = 0;  // steps that run

  std::optional<std::string> checkpoint_;  // as stored; nullopt: to be read
  std::optional<Version> version_;         // of the stored one; nullopt: there is none
  PolledBatch batch_;
  std::uint32_t refusals_ = 0;  // of this batch, by a full producer
  std::uint32_t failures_ = 0;  // cycles in a row

  bool waiting_ = false;  // between cycles, for the timer
  bool waiting_is_idle_ = false;
  std::uint64_t wait_id_ = 0;
  TimerId timer_ = 0;
  bool woken_ = false;  // since the poll began

  PopulatorTotals totals_;
  LastError last_error_;
  bool reported_quiet_ = true;
};

}  // namespace fermata::pipeline
