#pragma once

#include "base/clock.hpp"
#include "base/status.hpp"

#include <string>

namespace fermata::embedded {

/// Ownership of a data directory: an flock on its file "lock", whose text says who holds it. Ends with the process too.
class DataDirLock {
 public:
  /// Makes the directory if it is missing (mode 0700). kFailedPrecondition: held, and by whom; kUnavailable: cannot be made.
  static Result<DataDirLock> take(const std::string& data_dir, const Clock& clock);
  ~DataDirLock();
  DataDirLock(DataDirLock&& other) noexcept;
  DataDirLock& operator=(DataDirLock&&) = delete;

 private:
  explicit DataDirLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace fermata::embedded
