#include "work/ordered_pool.hpp"

#include <utility>

namespace fermata::crr {

OrderedPool::OrderedPool(std::size_t threads, std::size_t capacity) : capacity_(capacity) {
  for (std::size_t i = 0; i < threads; ++i) lanes_.push_back(std::make_unique<Lane>());
}

OrderedPool::~OrderedPool() { stop(); }

void OrderedPool::start() {
  for (const auto& lane : lanes_) {
    const std::lock_guard lock(lane->mutex);
    if (std::exchange(lane->running, true)) continue;
    lane->thread = std::thread([&lane = *lane] { run(lane); });
  }
}

void OrderedPool::stop() {
  std::vector<std::deque<Task>> dropped;  // destroyed without the lock: they may call out
  for (const auto& lane : lanes_) {
    const std::lock_guard lock(lane->mutex);
    lane->running = false;
    dropped.push_back(std::exchange(lane->waiting, {}));
    lane->changed.notify_all();
  }
  dropped.clear();
  for (const auto& lane : lanes_)
    if (lane->thread.joinable()) lane->thread.join();
}

bool OrderedPool::post(std::size_t hash, Task task) {
  Lane& lane = *lanes_[hash % lanes_.size()];
  {
    const std::lock_guard lock(lane.mutex);
    if (!lane.running || lane.waiting.size() >= capacity_) return false;
    lane.waiting.push_back(std::move(task));
  }
  lane.changed.notify_one();
  return true;
}

void OrderedPool::run(Lane& lane) {
  std::unique_lock lock(lane.mutex);
  while (true) {
    lane.changed.wait(lock, [&lane] { return !lane.running || !lane.waiting.empty(); });
    if (!lane.running) return;
    Task task = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace fermata::crr
