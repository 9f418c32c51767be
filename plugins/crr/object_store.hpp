#pragma once

#include "object.hpp"

#include <functional>
#include <memory>
#include <span>

namespace fermata::crr {

/// One object at the source, open for reading. Threads: one at a time.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual const ObjectMeta& meta() const = 0;
  /// The next bytes; 0 at the end. Blocks for I/O.
  virtual Result<std::size_t> read(std::span<char> buffer) = 0;
  /// kAborted if the source's object is no longer the one that was opened. Blocks for I/O.
  virtual Status check_unchanged() = 0;
};

/// Where objects come from. Threads: [any]. Every method blocks for I/O.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  /// Opens the object as it is now. kNotFound: there is none, which is not an error; kUnavailable: nobody can tell.
  virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id) = 0;
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
    std::string etag;  ///< MD5 of the content, hex
  };

  /// Copies `source`, verifies the copy and makes it visible and durable. Right before it becomes visible
  /// source.check_unchanged() must be ok; otherwise nothing becomes visible and its status is returned.
  virtual Result<Stored> put(const ObjectId& id, ObjectReader& source) = 0;

  /// Removes the object; a missing one is not an error. `still_gone` is asked right before, as check_unchanged.
  virtual Status remove(const ObjectId& id, const std::function<Status()>& still_gone) = 0;

  /// True if an object of this size and modification time is there.
  virtual Result<bool> has(const ObjectId& id, const ObjectMeta& meta) = 0;

  /// Ok if the target is there and takes writes; otherwise why not.
  virtual Status check() = 0;

  /// Removes what an interrupted put left behind; what another process still writes stays.
  virtual Status clean() = 0;
};

}  // namespace fermata::crr
