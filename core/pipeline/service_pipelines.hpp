#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/status.hpp"
#include "ports/key_value_store.hpp"
#include "ports/leases.hpp"
#include "ports/queue.hpp"
#include "ports/state_store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::pipeline {

/// Bounds and retry policy of all pipelines of a service (`extensions[].pipeline` in the configuration).
struct PipelineOptions {
  std::uint32_t max_in_flight = 64;             ///< records per processor handed out at one time; 1 to 10,000
  std::size_t max_in_flight_bytes = 64u << 20;  ///< and their bytes (one record may exceed it alone)
  std::size_t prefetch_records = 1'000;         ///< per processor, read from the queue and waiting
  std::size_t prefetch_bytes = 16u << 20;
  std::uint32_t max_attempts = 10;             ///< then the failed store; 1 = no retries
  std::chrono::milliseconds retry_first{500};  ///< doubles, with jitter of a half
  std::chrono::milliseconds retry_max{60'000};
  std::chrono::milliseconds stuck_after{300'000};  ///< a record in flight for longer is named in log and status
  std::chrono::milliseconds commit_interval{1'000};
  std::chrono::milliseconds revoke_patience{2'000};  ///< how long a partition that goes waits for what is in flight of it
};

/// How the plugin says one delivery went. kPostpone is a kRetry whose attempt is not counted, so that it is never given up.
enum class Outcome { kDone, kRetry, kFailed, kPostpone };

/// One record on its way to the plugin. `record` lives until `complete` is called.
struct DeliveredRecord {
  std::string_view topic;
  const QueueRecord* record;
  std::uint32_t attempt;
  bool last_attempt;  ///< kRetry now uses up the retries
  bool redelivered;   ///< it may have been delivered before, here or on another node
};
/// Completes a delivery, from any thread, also inside `process`. The first call counts; when the last copy is dropped
/// without a call, that counts as kRetry.
using Complete = std::function<void(Outcome outcome, std::string_view text)>;

struct ProcessorSpec {
  std::string name;
  std::string topic;
  std::string location;             ///< empty: never paused
  std::string group;                ///< empty: "<service>-<location>"; without a location it must be given
  std::uint32_t max_in_flight = 0;  ///< 0: the option's
  /// Called on a worker; must not block. An exception counts as kRetry with its text.
  std::function<void(const DeliveredRecord&, Complete)> process;
};

/// What a finished poll of a populator brought.
struct PolledBatch {
  std::vector<NewRecord> records;
  std::string next_checkpoint;
  std::chrono::milliseconds idle{0};
};

struct PopulatorSpec {
  std::string name;
  std::string topic;
  std::string location;  ///< empty: never paused
  /// Begins a poll; `finish` is called once, from any thread; dropped, or an exception, counts as an error. Called on a
  /// worker; must not block.
  std::function<void(std::string checkpoint, std::function<void(Result<PolledBatch>)> finish)> poll;
};

/// Sums over the processors and populators of one location; errors also of those that serve all locations.
struct LocationCounts {
  bool gate_open = false;
  bool quiet = true;  ///< gate closed, nothing in flight, no poll unfinished: what `paused` means
  std::int64_t in_flight = 0;
  std::int64_t retrying = 0;
  std::int64_t lag = 0;
  std::int64_t processed = 0;
  std::int64_t failed = 0;  ///< in the failed store, which all nodes share, as this node counted last
  std::string stuck = {};   ///< names the record that is in flight for too long, as long as it is
  std::string last_error = {};
  std::optional<WallTime> last_error_at = {};
};

/// A record that was given up, in the failed store.
struct FailedRecord {
  std::string id;  ///< "<topic>/<partition>/<offset>", with leading zeroes, so that it sorts
  std::string topic;
  std::string processor;
  std::string key;
  std::string value;
  std::string reason;
  std::uint32_t attempts = 0;
  WallTime failed_at;
};

/// All pipelines of one service on this node: its processors and populators, gated per location.
///
/// Guarantees: records of one key are delivered in order, one at a time, other keys in parallel; only offsets whose every
/// predecessor is done are committed; at least once; after set_gate(l, false) returned nothing of `l` is delivered until
/// it is opened; a record is dropped never: done, or in the failed store before its offset is passed.
///
/// Lifecycle:  construct -> add_*  -> start -> stop -> destroy. All gates start closed.
/// Threads:    [any], but add_*, start and stop by one caller, and add_* before anything but on_change.
///             Nothing but start, stop and the failed store blocks.
class ServicePipelines {
 public:
  struct Dependencies {
    Queue& queue;
    KeyValueStore& kv;
    StateStore& store;
    Leases& leases;
    Executor& workers;  ///< plugin code runs here
    Executor& control;  ///< what blocks runs here: checkpoints, counting of failed records
    const Clock& clock;
    telemetry::Log& log;
    telemetry::Metrics& metrics;
  };

  /// @param state_path  where checkpoints are kept: "<state_path>/populators/<name>".
  ServicePipelines(std::string service, std::string state_path, PipelineOptions options, Dependencies dependencies);
  ~ServicePipelines();
  ServicePipelines(const ServicePipelines&) = delete;
  ServicePipelines& operator=(const ServicePipelines&) = delete;

  /// kAlreadyExists: a processor or populator of that name; kInvalidArgument: an empty name or topic, or neither location nor
  /// group.
  Status add_processor(ProcessorSpec spec);
  Status add_populator(PopulatorSpec spec);

  /// Joins the groups and campaigns for the populators' leases. kUnavailable: try again.
  Status start();
  /// Closes all gates and waits until nothing is in flight, at most `timeout`. @return kDeadlineExceeded, naming how many
  /// records of which processors are stuck; their completions are ignored afterwards. Offsets are committed.
  Status stop(std::chrono::milliseconds timeout);

  /// Opens or closes the gate of every processor and populator of `location`; one that is unknown is ignored. Closing
  /// waits for a call of `process` or `poll` that is being made at this moment (they return soon), at most 1 s.
  void set_gate(std::string_view location, bool open);
  LocationCounts counts(std::string_view location) const;
  /// Called, on a worker, when `quiet`, `stuck` or `last_error` of a location changed (or may have); set before start; must be
  /// quick. The location is empty for populators without one.
  void on_change(std::function<void(std::string_view location)> callback);

  void wake_populator(std::string_view name);
  /// Records of `location` that wait for their next try are due now.
  void hurry(std::string_view location);
  /// Produces for the plugin; see Queue::produce.
  Status produce(std::vector<NewRecord> records, Queue::Produced produced);

  // The failed store. These block for I/O, at most 5 s. Records of processors without a location have the empty one.

  /// Given up for `location`, by id (so oldest first within a partition), after `after_id` (empty: from the first).
  Result<std::vector<FailedRecord>> failed(std::string_view location, std::string_view after_id, std::size_t limit);
  /// Appends these records to their topics again, where whoever reads the partition gets them, and then removes them from
  /// the failed store. @return how many there were; ids that are not there are passed over. Waits until the queue
  /// acknowledged, at most 5 s per 100 records; what was not acknowledged stays. Two nodes that are asked for the same
  /// record at once may append it twice, and never lose it.
  Result<std::size_t> retry_failed(std::string_view location, const std::vector<std::string>& ids);

  /// Removes one for good; one that is not there is not an error.
  Status discard_failed(std::string_view location, std::string_view id);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::pipeline
