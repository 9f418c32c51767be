#pragma once

#include "journal/journal_index.hpp"
#include "model/record.hpp"

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
///
/// Records name every location that was ever configured, those of today first: one that is out of the configuration gets
/// what happened meanwhile, deletions too, when it is put back, as far as the queue still has it. And an object that was
/// journaled under another set of locations counts as changed, so that one added, or put back late, gets all objects.
class JournalWriter {
 public:
  static constexpr std::size_t kMaxRecords = 1'000;

  /// @param host  borrowed; outlives this. @param locations  that are configured.
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
  /// Adds the configured locations to all that ever were, in the host's store.
  Status remember_locations();

  const sdk::Host& host_;
  const JournalIndex index_;
  const std::vector<std::string> configured_;
  const std::string digest_;            // of configured_
  std::vector<std::string> locations_;  // that records name
  const sdk::Metric puts_;
  const sdk::Metric deletes_;
  bool first_ = true;
  std::string begun_at_;     // checkpoint of the batch in hand
  std::string finished_at_;  // and the one it ended with
  std::uint64_t version_ = 0;
  std::map<std::string, std::optional<JournaledObject>> pending_;  // emitted, not acknowledged; nullopt: deleted
};

}  // namespace fermata::crr
