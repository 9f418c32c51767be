#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fermata::telemetry {

enum class Level { kDebug, kInfo, kWarn, kError };

/// Structured log lines, as text or JSON, to standard error or a file. Threads: [any]. Never blocks on a reader.
/// Secrets never appear: whoever logs a setting logs its name.
class Log {
 public:
  struct Options {
    Level level = Level::kInfo;
    bool json = false;
    std::string file = {};  ///< empty: standard error
  };
  using Field = std::pair<std::string_view, std::string_view>;
  using Fields = std::initializer_list<Field>;

  /// Throws std::runtime_error naming the file if it cannot be opened.
  explicit Log(const Options& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool enabled(Level level) const;
  /// @param component  "control", "rest", "plugin/crr", ...
  void write(Level level, std::string_view component, std::string_view message, Fields fields = {});
  void debug(std::string_view component, std::string_view message, Fields fields = {}) { write(Level::kDebug, component, message, fields); }
  void info(std::string_view component, std::string_view message, Fields fields = {}) { write(Level::kInfo, component, message, fields); }
  void warn(std::string_view component, std::string_view message, Fields fields = {}) { write(Level::kWarn, component, message, fields); }
  void error(std::string_view component, std::string_view message, Fields fields = {}) { write(Level::kError, component, message, fields); }

  void set_level(Level level);
  /// Waits until what was logged is written, at most so long: for leaving without destructors.
  void flush(std::chrono::milliseconds at_most);
  /// Opens the file anew, after a rotation.
  void reopen();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::telemetry
