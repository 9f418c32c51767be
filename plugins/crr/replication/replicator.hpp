#pragma once

#include "model/record.hpp"
#include "model/rules.hpp"
#include "replication/breaker.hpp"
#include "replication/object_states.hpp"
#include "replication/version_sync.hpp"
#include "store/object_store.hpp"
#include "work/done.hpp"

#include <fermata/sdk/host.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace fermata::crr {

/// Which delivery of a record this is.
struct Attempt {
  std::uint32_t number = 1;
  bool last = false;  ///< if it fails, the record is given up
  std::int64_t produced_ms = 0;
  bool redelivered = false;  ///< it may have been worked on before, here or elsewhere
  std::string id = {};       ///< what the failed store will call the record
};

/// Brings one location up to the source, object by object. A record says which object to look at; what is copied is the
/// object as it is at the source now, or each of its versions in the source's order, so that a late or repeated record never
/// moves the target back.
/// Threads: [any]; `replicate` blocks for I/O, and calls for one object come one at a time.
class Replicator {
 public:
  struct Options {
    double error_rate = 0.5;  ///< see Breaker
    /// See VersionSync::Hooks. Asked for each object that is not known yet, so it must be quick.
    std::function<bool()> history_copied = [] { return true; };
  };

  /// @param host, rules  borrowed; outlive this.
  Replicator(const sdk::Host& host, std::string location, const Rules& rules, std::shared_ptr<ObjectSource> source,
             std::unique_ptr<ObjectStore> store, Options options);

  /// Does what the record asks for, as far as it is still so, and keeps the object's state. The status decides what
  /// becomes of the delivery: kUnavailable means that source, target or store are down and the record waits for them,
  /// for the rest see sdk::Delivery::finish.
  Status replicate(const ReplicationRecord& record, const Attempt& attempt);

  /// Looks whether the target is there, for `degraded`, and cleans it up when it is seen first; what waits for it is hurried
  /// when it is there again. To be called every second; while the target is away it is looked for less and less often.
  /// Blocks for I/O.
  void probe();
  /// Why the target cannot be written to, as probe or the last copy found; empty if it can.
  std::string degraded() const;

  const std::string& location() const { return location_; }

 private:
  using Clock = std::chrono::steady_clock;

  VersionSync::Hooks hooks(std::function<bool()> history_copied) const;
  Result<Done> apply(const ReplicationRecord& record, const VersionSync::Question& question, ObjectState& state);
  Result<Done> apply_current(const ReplicationRecord& record, ObjectState& state);
  /// What failed, as kUnavailable if the target as a whole is at fault.
  Status judge(const Status& failure);
  void set_trouble(std::string reason);
  Result<Done> put(const ReplicationRecord& record, ObjectReader& source, ObjectState& state);
  Result<Done> remove(const ReplicationRecord& record);
  Status keep(const ReplicationRecord& record, const Result<Done>& done, const Attempt& attempt, ObjectState& state);
  /// A record of this object that was given up earlier means nothing any more.
  void settle_failed(ObjectState& state);
  bool is_probe_due();
  void back_off();
  void probed(const Status& status);
  void count(const Result<Done>& done, const ObjectState& state, std::int64_t produced_ms) const;
  std::int64_t now_ms() const;

  const sdk::Host& host_;
  const std::string location_;
  const Rules& rules_;
  const std::shared_ptr<ObjectSource> source_;
  const std::unique_ptr<ObjectStore> store_;
  const ObjectStates states_;
  VersionSync versions_;
  Breaker breaker_;
  const sdk::Metric bytes_;
  const sdk::Metric copied_;
  const sdk::Metric removed_;
  const sdk::Metric unchanged_;
  const sdk::Metric skipped_;
  const sdk::Metric retried_;
  const sdk::Metric failed_;
  const sdk::Metric left_out_;
  const sdk::Metric latency_;
  // probe's own
  bool cleaned_ = false;
  Clock::time_point next_probe_ = {};
  std::chrono::seconds probe_delay_{0};  // before the next look at a target that is away; 0: it has been well for a while
  bool waits_for_target_ = false;
  mutable std::mutex mutex_;  // guards trouble_
  std::string trouble_;       // what the last copy found that no probe sees, such as a full disk
};

}  // namespace fermata::crr
