#pragma once

#include "journal/journal_index.hpp"
#include "journal/s3_event.hpp"
#include "model/record.hpp"
#include "model/rules.hpp"
#include "work/ordered_pool.hpp"

#include <fermata/sdk/host.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

class Acknowledgements;

/// Turns bucket notifications, from a topic or from who receives them, into records, one for each event of an object that some
/// rule wants. A notification is done when all its records are durable, so a crash in between repeats records and loses none.
/// Records of one object are produced in the order in which their notifications came.
///
/// Lifecycle: construct -> add (within init) -> start -> stop -> destroy; it outlives the host's calls.
/// Threads:   four of its own, as the index may block; at most 4,096 events wait for each, beyond that notifications are refused.
class EventIntake {
 public:
  /// @param host, rules  borrowed; outlive this. @param topic  where records go.
  EventIntake(sdk::Host& host, const Rules& rules, std::string topic);

  /// Registers a processor, which is never paused, on `events_topic`. [control] Only within init.
  Status add(const std::string& events_topic);
  void start() { pool_.start(); }
  /// Notifications that are open are refused. Idempotent.
  void stop() { pool_.stop(); }

  /// When, and how, we were told.
  struct Telling {
    std::int64_t time_ms = 0;
    bool is_repeated = false;  ///< perhaps not for the first time
  };
  /// Takes one notification; returns at once. [any]
  /// @param end  called once, when all its records are durable, or with why they are not: kUnavailable if too much waits or we are
  /// stopped. @return kInvalidArgument if it is no notification; then nothing is taken and `end` not called.
  Status take(std::string_view notification, const Telling& telling, std::function<void(const Status&)> end);

 private:
  void process(const sdk::Record& record, sdk::Delivery delivery);
  struct Change {
    S3Event event;
    ReplicationRecord record;
  };

  std::vector<Change> changes_of(S3Notification notification, const Telling& telling);
  /// Blocks for I/O.
  void journal(Change change, const std::shared_ptr<Acknowledgements>& told);
  Status enter(const Change& change) const;
  std::uint64_t next_version();

  sdk::Host& host_;
  const Rules& rules_;
  const std::string topic_;
  const JournalIndex index_;
  const sdk::Metric journaled_;
  const sdk::Metric unwanted_;
  const sdk::Metric ignored_;
  const sdk::Metric replicas_;
  const sdk::Metric invalid_;
  std::atomic<std::uint64_t> last_version_{0};
  OrderedPool pool_;
};

}  // namespace fermata::crr
