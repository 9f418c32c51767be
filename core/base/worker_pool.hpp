#pragma once

#include "base/executor.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace fermata {

/// An Executor on threads of its own. Tasks must not throw.
class WorkerPool final : public Executor {
 public:
  /// @param name  of the threads, at most 12 characters.
  WorkerPool(std::string name, std::size_t threads);
  /// As stop.
  ~WorkerPool() override;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void post(Task task) override;
  TimerId post_after(std::chrono::nanoseconds delay, Task task) override;
  bool cancel(TimerId id) override;

  /// Finishes the tasks that run, drops the others, joins the threads. Not to be called from a task.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata
