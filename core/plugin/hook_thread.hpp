#pragma once

#include "base/executor.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fermata::plugin {

/// The one thread on which a plugin's [control] functions run, one at a time and in order. A plugin may hang in one of
/// them, so nothing here waits without a bound. Threads: [any].
class HookThread {
 public:
  /// @param name  of the thread, at most 15 characters of it.
  explicit HookThread(const std::string& name);
  /// The thread has ended or is about to (finish returned true, or nothing was ever posted that hangs); joins it.
  ~HookThread();
  HookThread(HookThread&& other) noexcept = default;
  HookThread(const HookThread&) = delete;
  HookThread& operator=(const HookThread&) = delete;
  HookThread& operator=(HookThread&&) = delete;

  void post(Task task);
  /// Runs `task` after those posted before and waits for it. @return false if it has not ended after `timeout`; it still
  /// runs, or will.
  bool run(Task task, std::chrono::milliseconds timeout);
  /// Takes no more tasks, drops those that wait, and lets the running one end. @return false if it has not after `timeout`.
  bool finish(std::chrono::milliseconds timeout);
  /// Whether the thread's work is over, so that destroying it does not block.
  bool ended() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

/// Where threads go that hang inside a plugin, with everything they may still touch. They are never waited for: those
/// that end are joined here, and the others stay until the process ends. Threads: [any].
class Graveyard {
 public:
  /// Leaves threads that still hang, and what they touch, to the end of the process, which then must be an _exit.
  ~Graveyard();

  void bury(HookThread thread, std::shared_ptr<void> touched);
  /// How many hang now.
  std::size_t stuck();

 private:
  struct Grave {
    std::shared_ptr<void> touched;  // destroyed after the thread
    HookThread thread;
  };
  std::mutex mutex_;
  std::vector<std::unique_ptr<Grave>> graves_;  // guarded by mutex_
};

}  // namespace fermata::plugin
