#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace fermata {

using Task = std::function<void()>;
using TimerId = std::uint64_t;

/// Runs tasks, now or later. Threads: [any]. Tasks never run inside post or post_after.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `task` once, soon, on one of the executor's threads. Dropped, not run, once the executor is stopped.
  virtual void post(Task task) = 0;
  /// Runs `task` once, not before `delay` has passed. @return an id for cancel, never 0.
  virtual TimerId post_after(std::chrono::nanoseconds delay, Task task) = 0;
  /// True if the task will not run; false if it ran, runs now or is unknown. The task is destroyed before it returns true.
  virtual bool cancel(TimerId id) = 0;
};

}  // namespace fermata
