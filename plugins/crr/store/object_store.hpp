#pragma once

#include "model/object.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fermata::crr {

/// A piece of an object that is copied on its own.
struct Part {
  std::uint32_t number = 1;  ///< from 1
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// One object at the source, open for reading. Threads: one at a time.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual const ObjectMeta& meta() const = 0;
  /// The next bytes; 0 at the end. Blocks for I/O.
  virtual Result<std::size_t> read(std::span<char> buffer) = 0;
  /// kAborted if the source's object is no longer the one that was opened. Blocks for I/O.
  virtual Status check_unchanged() = 0;
  /// Opens a part of the same object. Of one that was uploaded in parts (meta().parts) the number says which, and the part's
  /// meta().size how long it is; of others offset and size do. [any], also while others read. Blocks for I/O. kUnimplemented: the source
  /// cannot tell its parts apart.
  virtual Result<std::unique_ptr<ObjectReader>> open_part(const Part& part) = 0;
};

/// One entry of an object's history at the source.
struct SourceVersion {
  std::string version_id;  ///< "null": made while the store kept no versions
  bool delete_marker = false;
};

/// Where objects come from. Threads: [any]. Every method blocks for I/O.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  /// Opens the object as it is now, or the version that is asked for. kNotFound: there is none, which is not an error;
  /// kUnavailable: nobody can tell.
  virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id, const std::string& version_id = {}) = 0;

  // Only of sources that keep versions; others answer kUnimplemented.

  /// What open would tell, but the tags; kNotFound as open.
  virtual Result<ObjectMeta> stat(const ObjectId& id, const std::string& version_id);
  virtual Result<Tags> tags(const ObjectId& id, const std::string& version_id);
  /// The object's history, newest first, down to `until` (included; empty or unknown: to the first), at most kMaxVersions.
  virtual Result<std::vector<SourceVersion>> versions(const ObjectId& id, const std::string& until);
  static constexpr std::size_t kMaxVersions = 10'000;
};

/// What stands at a target under some key.
struct TargetObject {
  enum class Kind { kNothing, kObject, kDeleteMarker };
  Kind kind = Kind::kNothing;
  std::string source_version = {};  ///< of an object: the version at the source that it is a replica of; empty: of none, or unknown
  std::string target_version = {};  ///< the target's own name for it; empty: it keeps no versions
};

/// Where objects go to: one location. Writes are atomic: a reader of the target sees the old object or the new one.
///
/// Threads: [any]; calls for one object come one at a time. Every method but `location` blocks for I/O.
/// Errors:  kUnavailable: the place is down (missing, read-only, full, stale, failing), whatever the object; kAborted: this
///          object was in motion, or its copy is damaged, and another try may do; others will not pass by themselves.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  struct Stored {
    std::uint64_t bytes = 0;
    std::string etag;  ///< as the target shows it: MD5 of the content, hex, or what multipart uploads have instead
  };

  /// Copies `source`, verifies the copy and makes it visible and durable. Right before it becomes visible
  /// source.check_unchanged() must be ok; otherwise nothing becomes visible and its status is returned.
  virtual Result<Stored> put(const ObjectId& id, ObjectReader& source) = 0;

  /// Removes the object; a missing one is not an error. `still_gone` is asked right before, as check_unchanged. Where the
  /// target keeps versions the object gets a delete marker, unless it has one already.
  /// @return the target's version id of that marker; empty if there is none.
  virtual Result<std::string> remove(const ObjectId& id, const std::function<Status()>& still_gone) = 0;

  /// True if an object of this size and modification time, or of this ETag if others can have the same, is there.
  virtual Result<bool> has(const ObjectId& id, const ObjectMeta& meta) = 0;

  /// What a reader of the object gets now: of a delete marker not every store tells, so it may look like nothing.
  virtual Result<TargetObject> visible(const ObjectId& id);
  /// What stands there now. Dearer than `visible` where nothing can be read.
  virtual Result<TargetObject> latest(const ObjectId& id) = 0;
  /// The replicas in the object's history, newest first: one entry per version, delete markers among them. Where no versions
  /// are kept, what `latest` says, if anything.
  virtual Result<std::vector<TargetObject>> history(const ObjectId& id) = 0;
  /// Removes the replica of `source_version` for good, or, if it is known, the target's own `target_version`; a missing one is
  /// not an error. What was there before it shows again.
  virtual Status remove_version(const ObjectId& id, const std::string& source_version, const std::string& target_version) = 0;
  /// Gives the replica of `source_version` these tags instead of those it has. kNotFound: there is no such replica.
  virtual Status put_tags(const ObjectId& id, const std::string& source_version, const Tags& tags) = 0;

  /// Ok if the target is there and takes writes; otherwise why not.
  virtual Status check() = 0;

  /// Removes what an interrupted put left behind; what another process still writes stays.
  virtual Status clean() = 0;
};

}  // namespace fermata::crr
