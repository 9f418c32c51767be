#include "plugin/hook_thread.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace fermata::plugin {

struct HookThread::State {
  void work(const std::string& name) {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return closed || !tasks.empty(); });
      if (tasks.empty()) break;
      Task task = std::move(tasks.front());
      tasks.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
    ended = true;
    changed.notify_all();
  }

  std::mutex mutex;  // guards all below
  std::condition_variable wake;
  std::condition_variable changed;
  std::deque<Task> tasks;
  bool closed = false;
  bool ended = false;
};

HookThread::HookThread(const std::string& name) : state_(std::make_shared<State>()) {
  thread_ = std::thread([state = state_, name] { state->work(name); });
}

HookThread::~HookThread() {
  if (!ended()) finish([] {}, std::chrono::milliseconds(0));
  thread_.join();
}

void HookThread::post(Task task) {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return;
  state_->tasks.push_back(std::move(task));
  state_->wake.notify_one();
}

bool HookThread::run(Task task, std::chrono::milliseconds timeout) {
  const auto done = std::make_shared<bool>(false);  // guarded by state_->mutex
  post([state = state_, task = std::move(task), done] {
    task();
    const std::lock_guard lock(state->mutex);
    *done = true;
    state->changed.notify_all();
  });
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, timeout, [&] { return *done || state_->ended; }) && *done;
}

bool HookThread::finish(Task last, std::chrono::milliseconds timeout) {
  std::deque<Task> dropped;  // destroyed after the lock is released
  std::unique_lock lock(state_->mutex);
  if (!std::exchange(state_->closed, true)) {
    dropped.swap(state_->tasks);
    state_->tasks.push_back(std::move(last));
    state_->wake.notify_one();
  }
  const bool ended = state_->changed.wait_for(lock, timeout, [this] { return state_->ended; });
  lock.unlock();
  return ended;
}

bool HookThread::ended() const {
  const std::lock_guard lock(state_->mutex);
  return state_->ended;
}

}  // namespace fermata::plugin
