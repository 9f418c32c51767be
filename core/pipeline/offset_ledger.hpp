#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace fermata::pipeline {

/// Which records of one partition are done, and up to where all of them are: what may be committed.
///
/// Costs 8 bytes per record between the first one not done and the last one added. Threads: none of its own; the owner
/// locks.
class OffsetLedger {
 public:
  /// Beyond this many records after the first one not done, no more should be added: a stuck record must not make the
  /// ledger, nor what is delivered again after a crash, grow without end.
  static constexpr std::size_t kMaxSpan = std::size_t{1} << 20;

  /// Takes note of the partition's next record. Offsets grow, gaps are fine (compaction, transactions).
  /// @return false, and nothing changes, if `offset` is not beyond the last one.
  bool add(std::int64_t offset);
  /// An offset that was added; twice is harmless.
  void done(std::int64_t offset);

  bool full() const { return entries_.size() >= kMaxSpan; }
  /// Records added and not done.
  std::size_t undone() const { return undone_; }

  /// The first offset not done, if it moved since the last call of take_commit; else nullopt.
  std::optional<std::int64_t> take_commit();
  bool has_commit() const { return next_ > committed_; }

 private:
  std::deque<std::int64_t> entries_;  // offsets from the first one not done; those done are complemented (~offset)
  std::int64_t last_ = -1;            // the last offset added
  std::int64_t next_ = -1;            // everything before it is done
  std::int64_t committed_ = -1;       // what take_commit returned
  std::size_t undone_ = 0;
};

}  // namespace fermata::pipeline
