#include "work/periodic_task.hpp"

#include <exception>
#include <utility>

namespace fermata::crr {

PeriodicTask::PeriodicTask(std::chrono::milliseconds interval, Task task) : interval_(interval), task_(std::move(task)) {}

PeriodicTask::~PeriodicTask() { stop(); }

void PeriodicTask::start() {
  const std::lock_guard lock(mutex_);
  stopping_ = false;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void PeriodicTask::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PeriodicTask::run() {
  const auto stopping = [this] {
    const std::lock_guard lock(mutex_);
    return stopping_;
  };
  while (!stopping()) {
    try {
      task_(stopping);
    } catch (const std::exception&) {
      // E.g. no memory or no thread to be had now: it is done again after the interval.
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, interval_, [this] { return stopping_; });
  }
}

}  // namespace fermata::crr
