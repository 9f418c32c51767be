#pragma once

#include "journal_index.hpp"
#include "record.hpp"

#include <fermata/sdk/host.hpp>

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fermata::crr {

/// Turns what is found at the source into records, and enters it into the index once the records are acknowledged, which
/// the next poll tells by its checkpoint. So a crash in between repeats records and loses none. Threads: one at a time.
class JournalWriter {
 public:
  static constexpr std::size_t kMaxRecords = 1'000;

  /// @param host  borrowed; outlives this. @param locations  that every record names.
  JournalWriter(const sdk::Host& host, std::vector<std::string> locations);

  struct Begun {
    bool anew = false;                        ///< somebody else may have read on meanwhile: look at everything
    std::vector<std::string> unacknowledged;  ///< paths whose records were not: look at them again
  };
  /// Begins a batch at `checkpoint`. An error: nothing has changed; try again.
  Result<Begun> begin(const std::string& checkpoint);

  /// Emits a record if the object at `path` differs from what was journaled last. @param info  nullopt: there is none.
  /// kResourceExhausted: the batch is full; look at the path again after the next begin.
  Status examine(sdk::Batch& batch, const std::string& path, const std::optional<struct stat>& info);

  bool full() const { return pending_.size() >= kMaxRecords; }
  /// The checkpoint to finish the batch with.
  const std::string& finish();

  const JournalIndex& index() const { return index_; }

 private:
  Result<std::optional<JournaledObject>> known(const std::string& path) const;
  Status announce(const std::string& path, JournaledObject object) const;
  Status emit(sdk::Batch& batch, ReplicationRecord::Type type, const std::string& path, const JournaledObject& object);
  Status enter_pending();

  const sdk::Host& host_;
  const JournalIndex index_;
  const std::vector<std::string> locations_;
  const sdk::Metric puts_;
  const sdk::Metric deletes_;
  bool first_ = true;
  std::string begun_at_;     // checkpoint of the batch in hand
  std::string finished_at_;  // and the one it ended with
  std::uint64_t version_ = 0;
  std::map<std::string, std::optional<JournaledObject>> pending_;  // emitted, not acknowledged; nullopt: deleted
};

}  // namespace fermata::crr
