#pragma once

#include "files/posix.hpp"

#include <string>

namespace fermata::crr {

/// A new file under a temporary name, removed at the end of its life unless it was renamed. It is locked (flock) while it
/// is open, so that clean_temporaries can tell it from one that a crash left behind. Threads: one at a time.
class TemporaryFile {
 public:
  /// @param directory  borrowed; outlives this.
  static Result<TemporaryFile> create(int directory);
  TemporaryFile(TemporaryFile&&) = default;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  int fd() const { return file_.get(); }
  int directory() const { return directory_; }
  const std::string& name() const { return name_; }
  /// It stands under its final name now.
  void published() { name_.clear(); }

 private:
  TemporaryFile(int directory, std::string name, Fd file) : directory_(directory), name_(std::move(name)), file_(std::move(file)) {}

  int directory_;
  std::string name_;
  Fd file_;
};

/// Removes temporaries in `directory` (not below) that nobody holds open.
Status clean_temporaries(int directory);

}  // namespace fermata::crr
