#pragma once

#include "files/posix.hpp"

#include <dirent.h>

#include <memory>

namespace fermata::crr {

/// The entries of one directory, read as they are asked for, without "." and "..". Threads: one at a time.
class DirectoryReader {
 public:
  /// @param directory  borrowed for the call.
  static Result<DirectoryReader> open(int directory);

  /// nullptr at the end, or when the directory cannot be read further; valid until the next call.
  const dirent* next();
  int fd() const { return ::dirfd(stream_.get()); }

 private:
  struct Close {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  explicit DirectoryReader(DIR* stream) : stream_(stream) {}

  std::unique_ptr<DIR, Close> stream_;
};

/// The entry's type (DT_REG, ...), asking the file system when it does not come with the entry.
unsigned char type_of(int directory, const dirent& entry);

}  // namespace fermata::crr
