#pragma once

#include "base/executor.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

namespace fermata::pipeline {

class ProcessorPipeline;

/// One timer for the commits of all pipelines of a service, armed only while one of them has something to commit.
/// Threads: [any].
class CommitTicker {
 public:
  /// @param executor  outlives the last call of add.
  CommitTicker(Executor& executor, std::chrono::milliseconds interval);

  /// Calls the pipeline's commit within the interval.
  void add(std::weak_ptr<ProcessorPipeline> pipeline);

 private:
  // Shared with the timer's task, which may outlive the ticker.
  struct Waiting {
    std::mutex mutex;
    std::vector<std::weak_ptr<ProcessorPipeline>> pipelines;  // guarded by mutex
  };

  Executor& executor_;
  const std::chrono::milliseconds interval_;
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace fermata::pipeline
