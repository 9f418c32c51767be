#pragma once

#include "model/object.hpp"

#include <string>
#include <vector>

namespace fermata::crr {

/// Something that happened below the watched root.
struct Change {
  enum class Kind {
    kWritten,        ///< a file is complete: closed after writing, or moved here
    kTouched,        ///< a file was made or its attributes changed; somebody may still write to it
    kGone,           ///< a file was removed or moved away
    kDirectoryCame,  ///< a directory was made or moved here, perhaps with content
    kDirectoryWent,  ///< a directory was removed or moved away, with its content
    kLost,           ///< changes were lost; anything may have happened
  };
  Kind kind;
  std::string path;  ///< relative to the root
};

/// Notifications about directories. Watches are not recursive: each directory is added by itself. Threads: one at a time.
class DirectoryWatcher {
 public:
  virtual ~DirectoryWatcher() = default;

  /// Readable (poll(2)) when `read` would return something; -1: never.
  virtual int fd() const = 0;
  /// Watches one directory; idempotent. kNotFound: it is gone; kResourceExhausted: no more watches, and how to raise the limit.
  virtual Status watch(const std::string& path) = 0;
  /// What has happened since the last call, in order; does not block. Watches of directories that went are dropped.
  virtual std::vector<Change> read() = 0;
};

}  // namespace fermata::crr
