#pragma once

#include "pipeline/commit_ticker.hpp"
#include "pipeline/failed_store.hpp"
#include "pipeline/service_pipelines.hpp"

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace fermata::pipeline {

/// What the pipelines of one service share. Pipelines keep it alive, but use its dependencies only until they are closed.
class Context {
 public:
  Context(std::string service_name, std::string path, PipelineOptions pipeline_options, ServicePipelines::Dependencies dependencies)
      : service(std::move(service_name)),
        state_path(std::move(path)),
        options(pipeline_options),
        deps(dependencies),
        failed(service, deps.kv),
        ticker(deps.workers, options.commit_interval) {}

  const std::string service;
  const std::string state_path;
  const PipelineOptions options;
  const ServicePipelines::Dependencies deps;
  FailedStore failed;
  CommitTicker ticker;

  void on_change(std::function<void(std::string_view)> callback) {
    const std::lock_guard lock(mutex_);
    on_change_ = std::move(callback);
  }
  /// Tells the owner that `quiet` or `last_error` of a location may have changed. Not under a lock.
  void changed(std::string_view location) const {
    std::function<void(std::string_view)> callback;
    {
      const std::lock_guard lock(mutex_);
      callback = on_change_;
    }
    if (callback) callback(location);
  }

 private:
  mutable std::mutex mutex_;
  std::function<void(std::string_view)> on_change_;  // guarded by mutex_
};

/// The last thing that went wrong in a pipeline. Threads: none of its own; the owner locks.
struct LastError {
  static constexpr std::size_t kMaxText = 1'024;

  std::string text = {};
  std::optional<WallTime> at = {};
  bool is_news = false;  ///< the text changed and was not reported yet

  void set(std::string_view what, WallTime now) {
    what = what.substr(0, kMaxText);
    is_news = is_news || text != what;
    text = what;
    at = now;
  }
  /// Shows it in `counts`, if it is later than what is there.
  void show_in(LocationCounts& counts) const {
    if (!at || (counts.last_error_at && *counts.last_error_at >= *at)) return;
    counts.last_error = text;
    counts.last_error_at = at;
  }
};

}  // namespace fermata::pipeline
