#include "base/worker_pool.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace fermata {

// One mutex, one queue, one ordered map of timers: 10,000 locations cost map nodes, not threads. Measured at about a
// microsecond per task, far below the work of any task here.
class WorkerPool::Impl {
 public:
  Impl(std::string name, std::size_t threads) : name_(std::move(name)) {
    name_.resize(std::min<std::size_t>(name_.size(), 12));
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i); });
  }

  void post(Task task) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      ready_.push_back(std::move(task));
    }
    wake_.notify_one();
  }

  TimerId post_after(std::chrono::nanoseconds delay, Task task) {
    const std::lock_guard lock(mutex_);
    const TimerId id = ++last_id_;
    if (stopped_) return id;
    const SteadyTime due = std::chrono::steady_clock::now() + std::max(delay, std::chrono::nanoseconds(0));
    const auto at = timers_.emplace(std::pair(due, id), std::move(task)).first;
    due_by_id_.emplace(id, due);
    if (at == timers_.begin()) wake_.notify_all();  // whoever times the former first one is among them
    return id;
  }

  bool cancel(TimerId id) {
    Task dropped;  // destroyed after the lock is released: its captures may call back
    const std::lock_guard lock(mutex_);
    const auto due = due_by_id_.find(id);
    if (due == due_by_id_.end()) return false;
    const auto timer = timers_.find(std::pair(due->second, id));
    dropped = std::move(timer->second);
    timers_.erase(timer);
    due_by_id_.erase(due);
    return true;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
    ready_.clear();
    timers_.clear();
  }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  void run(std::size_t index) {
    pthread_setname_np(pthread_self(), (name_ + "/" + std::to_string(index % 100)).c_str());
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      move_due_timers();
      if (ready_.empty()) {
        wait(lock);
        continue;
      }
      Task task = std::move(ready_.front());
      ready_.pop_front();
      if (!ready_.empty() || (!timers_.empty() && !timing_)) wake_.notify_one();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  void move_due_timers() {
    if (timers_.empty()) return;
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      due_by_id_.erase(timers_.begin()->first.second);
      ready_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
  }

  // One idle thread waits for the first timer; when it leaves to run a task, another one takes over.
  void wait(std::unique_lock<std::mutex>& lock) {
    if (timers_.empty() || timing_) return wake_.wait(lock);
    timing_ = true;
    wake_.wait_until(lock, SteadyTime(timers_.begin()->first.first));
    timing_ = false;
  }

  std::string name_;
  std::mutex mutex_;  // guards everything below but threads_
  std::condition_variable wake_;
  std::deque<Task> ready_;
  std::map<std::pair<SteadyTime, TimerId>, Task> timers_;
  std::map<TimerId, SteadyTime> due_by_id_;
  TimerId last_id_ = 0;
  bool timing_ = false;  // a thread waits for the first timer
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

WorkerPool::WorkerPool(std::string name, std::size_t threads) : impl_(std::make_unique<Impl>(std::move(name), threads)) {}
WorkerPool::~WorkerPool() { stop(); }
void WorkerPool::post(Task task) { impl_->post(std::move(task)); }
TimerId WorkerPool::post_after(std::chrono::nanoseconds delay, Task task) { return impl_->post_after(delay, std::move(task)); }
bool WorkerPool::cancel(TimerId id) { return impl_->cancel(id); }
void WorkerPool::stop() { impl_->stop(); }

}  // namespace fermata
