#include "pipeline/commit_ticker.hpp"

#include "pipeline/processor_pipeline.hpp"

#include <utility>

namespace fermata::pipeline {

CommitTicker::CommitTicker(Executor& executor, std::chrono::milliseconds interval)
    : executor_(executor), interval_(interval), waiting_(std::make_shared<Waiting>()) {}

void CommitTicker::add(std::weak_ptr<ProcessorPipeline> pipeline) {
  {
    const std::lock_guard lock(waiting_->mutex);
    waiting_->pipelines.push_back(std::move(pipeline));
    if (waiting_->pipelines.size() > 1) return;
  }
  executor_.post_after(interval_, [waiting = waiting_] {
    std::vector<std::weak_ptr<ProcessorPipeline>> due;
    {
      const std::lock_guard lock(waiting->mutex);
      due.swap(waiting->pipelines);
    }
    for (const auto& weak : due)
      if (const auto live = weak.lock()) live->commit();
  });
}

}  // namespace fermata::pipeline
