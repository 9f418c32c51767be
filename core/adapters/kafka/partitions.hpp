#pragma once

#include "adapters/kafka/member.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace fermata::kafka {

/// What a consumer knows of the partitions that it has. Threads: none of its own; the owner locks.
class Partitions {
 public:
  /// Records that the brokers removed before they were read, at most.
  struct Gap {
    std::int32_t partition = 0;
    std::int64_t from = 0;
    std::int64_t to = 0;
  };
  /// What a record is to its partition.
  enum class Fit {
    kNext,     ///< take it
    kForeign,  ///< of a partition that is not ours, or not any more
    kBackward  ///< the partition goes back behind what was taken: it was truncated, or made anew
  };

  void assign(std::span<const std::int32_t> partitions, const Offsets& committed);
  /// From now on nothing is taken of them; done offsets may still be noted.
  void start_leaving(std::span<const std::int32_t> partitions);
  void remove(std::span<const std::int32_t> partitions);
  std::vector<std::int32_t> all() const;

  Fit take(std::int32_t partition, std::int64_t offset);
  bool has(std::int32_t partition) const;

  /// All before `offset` is done.
  void done(std::int32_t partition, std::int64_t offset);
  /// What is done and not committed, of all partitions or of these.
  Offsets uncommitted() const;
  Offsets uncommitted(std::span<const std::int32_t> partitions) const;
  void committed(const Offsets& offsets);

  std::int64_t lag() const;
  void set_ends(const Offsets& ends);
  void set_begins(const Offsets& begins);
  /// Those whose first offset is needed: nothing is committed, or records are missing.
  std::vector<std::int32_t> wanting_begin() const;
  /// What was found missing since the last call, once it is known what the brokers removed.
  std::vector<Gap> take_gaps(const Offsets& begins);

 private:
  struct State {
    std::int64_t committed = -1;  ///< -1: unknown, or nothing; so below
    std::int64_t done = -1;
    std::int64_t next = -1;  ///< the record to be taken next, if none is missing
    bool took = false;
    bool leaving = false;
    std::int64_t begin = -1;
    std::int64_t end = -1;
    std::optional<Gap> gap;  ///< the first one since the last look
  };
  std::map<std::int32_t, State> states_;
};

}  // namespace fermata::kafka
