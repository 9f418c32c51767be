#include "base/strand.hpp"

#include <deque>
#include <mutex>
#include <utility>

namespace fermata {

struct Strand::State : std::enable_shared_from_this<State> {
  explicit State(Executor& target) : executor(target) {}

  void post(Task task) {
    {
      const std::lock_guard lock(mutex);
      tasks.push_back(std::move(task));
      if (std::exchange(scheduled, true)) return;
    }
    schedule();
  }

  void schedule() {
    executor.post([self = shared_from_this()] { self->run_some(); });
  }

  // A bounded run, so that a busy strand does not keep a thread from the others.
  void run_some() {
    for (int i = 0; i < 64; ++i) {
      Task task;
      {
        const std::lock_guard lock(mutex);
        if (tasks.empty()) {
          scheduled = false;
          return;
        }
        task = std::move(tasks.front());
        tasks.pop_front();
      }
      task();
    }
    schedule();
  }

  Executor& executor;
  std::mutex mutex;
  std::deque<Task> tasks;  // guarded by mutex
  bool scheduled = false;  // guarded by mutex: run_some is posted or runs
};

Strand::Strand(Executor& executor) : state_(std::make_shared<State>(executor)) {}
void Strand::post(Task task) const { state_->post(std::move(task)); }

}  // namespace fermata
