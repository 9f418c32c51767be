#pragma once

#include "model/record.hpp"
#include "model/rules.hpp"
#include "replication/object_states.hpp"
#include "store/object_store.hpp"
#include "work/done.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fermata::crr {

/// Replicates objects whose source keeps versions: each version once, in the source's order, to one location.
///
/// The order is the source's own list of versions, not that of the records: events may come twice, late, or not at all. An
/// object that is not known here yet and was certainly not worked on before is copied with one GET and one PUT, one that a scan listed
/// with one version likewise where nothing is at the target. In every other
/// case the versions that the target lacks are found out, from the object's state if that can be trusted, else from the marks
/// on the target's own versions, and copied from the oldest to the newest.
///
/// Threads: [any]; calls for one object come one at a time, and block for I/O. Errors: as ObjectSource and ObjectStore; what
/// was copied before an error is in `state`.
class VersionSync {
 public:
  struct Question {
    bool known = false;     ///< `state` was found, not made up
    bool in_doubt = false;  ///< the record may have been worked on before, so `state` may be behind the target
    bool last = false;      ///< there is no other try
  };
  struct Hooks {
    /// True if older versions of an unknown object need no copy: there are none that are wanted.
    std::function<bool()> history_copied = [] { return true; };
    /// Told of a version that cannot be copied and is not the newest: it is left out, as later ones must not wait for it for ever.
    std::function<void(const ObjectId& id, const std::string& version_id, const Status& why)> left_out = [](const auto&...) {};
  };

  /// All borrowed; outlive this.
  VersionSync(ObjectSource& source, ObjectStore& store, const Rules& rules, const std::string& location, Hooks hooks);

  Result<Done> apply(const ReplicationRecord& record, const Question& question, ObjectState& state);

 private:
  using Versions = std::vector<SourceVersion>;

  Result<Done> sync(const ReplicationRecord& record, const Question& question, ObjectState& state);
  /// Those that the target lacks, newest first. `state` then names the newest that it has.
  Result<Versions> missing(const ReplicationRecord& record, const Question& question, ObjectState& state);
  /// It is left out, which is told once.
  void pass_by(const ObjectId& id, const std::string& version_id, const Status& why, ObjectState& state) const;
  Result<std::size_t> count_missing(const ObjectId& id, const Versions& versions);
  Result<Done> copy(const ObjectId& id, const std::string& version_id, ObjectState& state);
  Result<Done> copy_alone(const ReplicationRecord& record, const Question& question, ObjectState& state);
  Result<Done> mark_deleted(const ObjectId& id, const std::string& version_id, ObjectState& state);
  Result<bool> is_there(const ReplicationRecord& record);
  Result<Done> remove_version(const ReplicationRecord& record, ObjectState& state);
  Result<Done> show_newest(const ObjectId& id, ObjectState& state);
  Result<Done> retag(const ReplicationRecord& record, const Question& question, ObjectState& state);

  ObjectSource& source_;
  ObjectStore& store_;
  const Rules& rules_;
  const std::string& location_;
  const Hooks hooks_;
};

/// Why an object with these facts does not go to `location`; empty if it does.
std::string why_skipped(const Rules& rules, const std::string& location, const ObjectId& id, const ObjectMeta& meta);

}  // namespace fermata::crr
