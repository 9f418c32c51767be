#pragma once

#include "base/executor.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace fermata::control {

/// The control executor as one control plane uses it: its tasks run one at a time, and none once it is closed, so that
/// tasks may refer to the control plane and what they share needs no lock of its own ("[turn]" in comments).
/// Threads: [any]. Copies are the same.
class Turns final : public Executor {
 public:
  explicit Turns(Executor& executor) : state_(std::make_shared<State>(executor)) {}

  void post(Task task) override {
    if (!state_->closed) state_->executor.post(wrapped(std::move(task)));
  }
  TimerId post_after(std::chrono::nanoseconds delay, Task task) override {
    return state_->closed ? kNoTimer : state_->executor.post_after(delay, wrapped(std::move(task)));
  }
  bool cancel(TimerId id) override { return !state_->closed && state_->executor.cancel(id); }

  /// Runs `task` in the caller's thread when the turn comes; at once dropped if closed. Not from inside a task.
  void run(const Task& task) { wrapped(task)(); }

  /// Waits for the task that runs, runs `last`, and lets no task run from then on. Not from inside a task.
  void close(const Task& last) {
    const std::lock_guard turn(state_->turn);
    if (state_->closed) return;
    last();
    state_->closed = true;
  }

 private:
  static constexpr TimerId kNoTimer = 1;

  struct State {
    explicit State(Executor& target) : executor(target) {}
    Executor& executor;
    std::mutex turn;  // held by the task that runs; taken by nothing that a task waits for
    std::atomic<bool> closed = false;
  };

  Task wrapped(Task task) const {
    return [state = state_, task = std::move(task)] {
      const std::lock_guard turn(state->turn);
      if (!state->closed) task();
    };
  }

  std::shared_ptr<State> state_;
};

}  // namespace fermata::control
