#pragma once

#include "base/executor.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace fermata::plugin {

/// The one thread on which a plugin's [control] functions run, one at a time and in order. A plugin may hang in one of
/// them, so nothing here waits without a bound. Threads: [any].
class HookThread {
 public:
  /// @param name  of the thread, at most 15 characters of it.
  explicit HookThread(const std::string& name);
  /// Joins the thread: it has ended, or runs a task that returns soon.
  ~HookThread();
  HookThread(const HookThread&) = delete;
  HookThread& operator=(const HookThread&) = delete;

  void post(Task task);
  /// Runs `task` after those posted before and waits for it. @return false if it has not ended after `timeout`; it still
  /// runs, or will.
  bool run(Task task, std::chrono::milliseconds timeout);
  /// Takes no more tasks, drops those that wait, runs `last` after the one that runs, and ends. @return false if that has
  /// not happened after `timeout`; it still will, when the running task returns.
  bool finish(Task last, std::chrono::milliseconds timeout);
  /// Whether the thread's work is over, so that destroying it does not block.
  bool ended() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace fermata::plugin
