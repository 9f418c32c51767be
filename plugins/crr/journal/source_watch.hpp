#pragma once

#include "model/object.hpp"

#include <fermata/sdk/host.hpp>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

namespace fermata::crr {

/// Looks now and then whether the source is there, and says so in the log when that changes.
/// Threads: probe by one caller at a time; problem is [any].
class SourceWatch {
 public:
  static constexpr std::chrono::seconds kInterval{5};

  /// @param host  borrowed; outlives this. @param name  of the source, for the log. @param check  may block for I/O.
  SourceWatch(const sdk::Host& host, std::string name, std::function<Status()> check)
      : host_(host), name_(std::move(name)), check_(std::move(check)) {}

  /// Looks, if it is time to. Blocks for I/O.
  void probe();
  /// Why the source cannot be read; empty if it can.
  std::string problem() const;

 private:
  const sdk::Host& host_;
  const std::string name_;
  const std::function<Status()> check_;
  std::chrono::steady_clock::time_point next_ = {};  // probe's own
  mutable std::mutex mutex_;                         // guards problem_
  std::string problem_;
};

}  // namespace fermata::crr
