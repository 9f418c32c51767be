#pragma once

#include <string>
#include <string_view>

namespace fermata::telemetry {

/// Appends lines to a file or to standard error. A reader that has stopped reading costs at most one wait of kStall;
/// then lines are dropped, and counted, until it reads again. Threads: confined to one mutex of the caller.
class FdSink {
 public:
  /// @param file  empty: standard error. Throws std::runtime_error naming the file if it cannot be opened.
  explicit FdSink(std::string file);
  ~FdSink();
  FdSink(const FdSink&) = delete;
  FdSink& operator=(const FdSink&) = delete;

  /// Writes `line` (with its line feed). @return false if it was dropped.
  bool write(std::string_view line);
  /// Opens the file anew; keeps the old one if that fails. @return false if it failed.
  bool reopen();

 private:
  bool wait_writable();

  std::string file_;
  int fd_ = -1;
  bool stalled_ = false;
};

}  // namespace fermata::telemetry
