#include "work/fair_pool.hpp"

#include <algorithm>
#include <utility>

namespace fermata::crr {

FairPool::FairPool(std::size_t threads, std::size_t lanes, std::size_t capacity)
    : thread_count_(threads),
      lane_limit_(lanes == 1 ? threads : std::max<std::size_t>(1, threads - std::max<std::size_t>(1, threads / 4))),
      capacity_(capacity),
      lanes_(lanes) {}

FairPool::~FairPool() { stop(); }

void FairPool::start() {
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  for (std::size_t i = threads_.size(); i < thread_count_; ++i) threads_.emplace_back([this] { run(); });
}

void FairPool::stop() {
  std::vector<std::deque<Task>> dropped;  // destroyed without the lock: they may call out
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
    for (auto& lane : lanes_) dropped.push_back(std::exchange(lane.waiting, {}));
    waiting_ = 0;
  }
  changed_.notify_all();
  dropped.clear();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

bool FairPool::post(std::size_t lane, Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (!running_ || waiting_ >= capacity_) return false;
    lanes_[lane].waiting.push_back(std::move(task));
    ++waiting_;
  }
  changed_.notify_one();
  return true;
}

std::size_t FairPool::choose() const {
  if (waiting_ == 0) return lanes_.size();
  for (std::size_t i = 1; i <= lanes_.size(); ++i) {
    const std::size_t lane = (last_lane_ + i) % lanes_.size();
    if (!lanes_[lane].waiting.empty() && lanes_[lane].running < lane_limit_) return lane;
  }
  return lanes_.size();
}

void FairPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::size_t lane = lanes_.size();
    changed_.wait(lock, [this, &lane] { return !running_ || (lane = choose()) < lanes_.size(); });
    if (!running_) return;
    Task task = std::move(lanes_[lane].waiting.front());
    lanes_[lane].waiting.pop_front();
    --waiting_;
    ++lanes_[lane].running;
    last_lane_ = lane;
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
    --lanes_[lane].running;
    if (!lanes_[lane].waiting.empty()) changed_.notify_one();
  }
}

}  // namespace fermata::crr
