#pragma once

#include "files/posix.hpp"
#include "store/object_store.hpp"
#include "store/temporary_file.hpp"
#include "work/cancellation.hpp"

#include <shared_mutex>
#include <string>
#include <string_view>

namespace fermata::crr {

/// A directory as a target. An object is written to a temporary file in its bucket's directory, checksummed, synced, read
/// back and renamed into place. The root must be there: it is never made, because a missing one is an unmounted disk.
///
/// Where the source has a directory and the target a file, or the reverse, the target's gives way, after the source was
/// asked once more. A lock makes sure that nothing is published between that question and the removal.
class FilesystemStore final : public ObjectStore {
 public:
  /// @param location  for messages. @param cancellation  ends copies; borrowed; outlives this.
  FilesystemStore(std::string location, std::string root_path, const Cancellation& cancellation);

  Result<Stored> put(const ObjectId& id, ObjectReader& source) override;
  Result<std::string> remove(const ObjectId& id, const std::function<Status()>& still_gone) override;
  Result<bool> has(const ObjectId& id, const ObjectMeta& meta) override;
  Result<TargetObject> latest(const ObjectId& id) override;
  Result<std::vector<TargetObject>> history(const ObjectId& id) override;
  Status remove_version(const ObjectId& id, const std::string& source_version, const std::string& target_version) override;
  /// Files have no tags: ok, and nothing is done.
  Status put_tags(const ObjectId& id, const std::string& source_version, const Tags& tags) override;
  Status check() override;
  Status clean() override;

 private:
  Result<Fd> open_target_root() const;
  Result<Fd> open_bucket(const std::string& bucket) const;
  Status publish(int bucket, const ObjectId& id, TemporaryFile& file, ObjectReader& source);
  /// The status, naming location and object; what is missing below the root may be there at the next attempt.
  Status explain(const Status& status, const ObjectId& id) const;

  const std::string location_;
  const std::string root_path_;
  const Cancellation& cancellation_;
  std::shared_mutex publishing_;  // shared: makes one object visible; exclusive: removes what others may be publishing into
};

}  // namespace fermata::crr
