#pragma once

#include "base/clock.hpp"
#include "ports/queue.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <unordered_map>
#include <utility>

namespace fermata::pipeline {

struct Lane;

/// A record from when it was read until it is finished; at a fixed place in memory.
struct Entry {
  QueueRecord record;
  Lane* lane = nullptr;
  std::uint32_t deliveries = 0;  ///< begun
  std::uint32_t postponed = 0;   ///< those that were not the record's fault, and do not count as attempts
  bool revoked = false;          ///< its partition was taken away while it was in flight: it is not delivered again
  bool leaving = false;          ///< and is not gone yet, so that it still counts when this delivery is done
  bool redelivered = false;      ///< this delivery may not be the first
  SteadyTime since = {};         ///< when the last delivery began
  bool stuck = false;            ///< that delivery takes too long

  std::uint32_t attempts() const { return deliveries - postponed; }
};

/// The records of one key, in order; only the first is ever in flight.
struct Lane {
  enum class State { kReady, kInFlight, kHeld };
  std::uint64_t hash = 0;
  State state = State::kReady;
  std::list<Entry> entries;
};

/// Order per key: one record of a key at a time, keys take turns. Keys are told apart by a 64-bit hash: two that collide
/// share a lane, which costs them parallelism and nothing else.
///
/// Threads: none of its own; the owner locks. Bounded by its owner.
class KeyLanes {
 public:
  void add(QueueRecord record);

  bool has_ready() const { return !ready_.empty(); }
  /// The record whose turn it is. Only if has_ready().
  const Entry& peek() const { return ready_.front()->entries.front(); }
  /// Takes it in flight.
  Entry& next();

  // For entries in flight:

  /// Destroys the entry; its lane goes on.
  void finish(Entry& entry);
  /// Its lane waits.
  void hold(Entry& entry);

  /// Calls visit(entry) for each.
  template <typename Visit>
  void visit_in_flight(Visit visit);

  /// A held entry takes its turn again.
  void release(Entry& entry);

  /// Drops the partition's records, each after `before_drop(entry)`, but those in flight, which it marks `revoked` and
  /// `leaving`.
  template <typename BeforeDrop>
  void revoke(std::int32_t partition, BeforeDrop before_drop);

  /// Records that are not in flight, and their bytes.
  std::size_t waiting() const { return waiting_; }
  std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  void count(const Entry& entry) {
    ++waiting_;
    waiting_bytes_ += entry.record.bytes();
  }
  void uncount(const Entry& entry) {
    --waiting_;
    waiting_bytes_ -= entry.record.bytes();
  }

  std::unordered_map<std::uint64_t, Lane> lanes_;  // none is empty
  std::deque<Lane*> ready_;
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
};

template <typename Visit>
void KeyLanes::visit_in_flight(Visit visit) {
  for (auto& [hash, lane] : lanes_)
    if (lane.state == Lane::State::kInFlight) visit(lane.entries.front());
}

template <typename BeforeDrop>
void KeyLanes::revoke(std::int32_t partition, BeforeDrop before_drop) {
  for (auto& [hash, lane] : lanes_) {
    for (auto entry = lane.entries.begin(); entry != lane.entries.end();) {
      const bool first = entry == lane.entries.begin();
      if (entry->record.partition != partition) {
        ++entry;
      } else if (first && lane.state == Lane::State::kInFlight) {
        if (!entry->revoked) entry->revoked = entry->leaving = true;
        ++entry;
      } else {
        before_drop(*entry);
        if (first && lane.state == Lane::State::kHeld) {
          lane.state = Lane::State::kReady;
          ready_.push_back(&lane);
        }
        uncount(*entry);
        entry = lane.entries.erase(entry);
      }
    }
  }
  std::erase_if(ready_, [](const Lane* lane) { return lane->entries.empty(); });
  std::erase_if(lanes_, [](const auto& lane) { return lane.second.entries.empty(); });
}

}  // namespace fermata::pipeline
