#pragma once

#include "object_states.hpp"
#include "object_store.hpp"
#include "record.hpp"

#include <fermata/sdk/host.hpp>

#include <memory>
#include <mutex>
#include <string>

namespace fermata::crr {

/// Which delivery of a record this is.
struct Attempt {
  std::uint32_t number = 1;
  bool last = false;  ///< if it fails, the record is given up
  std::int64_t produced_ms = 0;
};

/// Brings one location up to the source, object by object. A record says which object to look at; what is copied is the
/// object as it is at the source now, so that a late or repeated record never moves the target back.
/// Threads: [any]; `replicate` blocks for I/O, and calls for one object come one at a time.
class Replicator {
 public:
  /// @param host  borrowed; outlives this.
  Replicator(const sdk::Host& host, std::string location, std::shared_ptr<ObjectSource> source, std::unique_ptr<ObjectStore> store);

  /// Does what the record asks for, as far as it is still so, and keeps the object's state. The status decides what
  /// becomes of the delivery: kUnavailable means that source, target or store are down and the record waits for them,
  /// for the rest see sdk::Delivery::finish.
  Status replicate(const ReplicationRecord& record, const Attempt& attempt);

  /// Looks whether the target is there, for `degraded`, and cleans it up when it is seen first. Blocks for I/O.
  void probe();
  /// Why the target cannot be written to, as probe or the last copy found; empty if it can.
  std::string degraded() const;

  const std::string& location() const { return location_; }

 private:
  enum class Done { kCopied, kRemoved, kUpToDate, kSuperseded };

  Result<Done> apply(const ReplicationRecord& record, ObjectState& state);
  /// What failed, as kUnavailable if the target as a whole is at fault.
  Status judge(const Status& failure);
  void set_trouble(std::string reason);
  Result<Done> put(const ReplicationRecord& record, ObjectReader& source, ObjectState& state);
  Result<Done> remove(const ReplicationRecord& record);
  Status keep(const ReplicationRecord& record, const Result<Done>& done, bool last_attempt, ObjectState state);
  void count(const Result<Done>& done, const ObjectState& state, std::int64_t produced_ms) const;
  std::int64_t now_ms() const;

  const sdk::Host& host_;
  const std::string location_;
  const std::shared_ptr<ObjectSource> source_;
  const std::unique_ptr<ObjectStore> store_;
  const ObjectStates states_;
  const sdk::Metric bytes_;
  const sdk::Metric copied_;
  const sdk::Metric removed_;
  const sdk::Metric unchanged_;
  const sdk::Metric retried_;
  const sdk::Metric failed_;
  const sdk::Metric latency_;
  bool cleaned_ = false;      // probe's own
  mutable std::mutex mutex_;  // guards the next two
  std::string degraded_;      // what probe found
  std::string trouble_;       // what the last copy found that no probe sees, such as a full disk
};

}  // namespace fermata::crr
