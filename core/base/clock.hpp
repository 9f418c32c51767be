#pragma once

#include <chrono>

namespace fermata {

using WallTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

/// Time, as everything but logging sees it, so that tests move it by hand. Threads: [any].
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall time: what operators and schedules mean. May jump.
  virtual WallTime now() const = 0;
  /// For durations and timeouts. Never goes back.
  virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime now() const override { return std::chrono::system_clock::now(); }
  SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace fermata
