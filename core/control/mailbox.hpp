#pragma once

#include "control/turns.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace fermata::control {

/// Takes items from any thread, never blocking, and hands them over in order, many at a time, to a task on its turn.
/// Bounded: what comes when `limit` items wait is dropped, and the drain is told so.
template <typename Item>
class Mailbox : public std::enable_shared_from_this<Mailbox<Item>> {
 public:
  using Drain = std::function<void(std::vector<Item> items, bool overflowed)>;

  Mailbox(Turns turns, std::size_t limit, Drain drain) : turns_(std::move(turns)), limit_(limit), drain_(std::move(drain)) {}

  void put(Item item) {
    {
      const std::lock_guard lock(mutex_);
      if (items_.size() < limit_)
        items_.push_back(std::move(item));
      else
        overflowed_ = true;
      if (std::exchange(posted_, true)) return;
    }
    turns_.post([self = this->shared_from_this()] { self->hand_over(); });
  }

 private:
  void hand_over() {
    std::vector<Item> items;
    bool overflowed = false;
    {
      const std::lock_guard lock(mutex_);
      items.swap(items_);
      overflowed = std::exchange(overflowed_, false);
      posted_ = false;
    }
    drain_(std::move(items), overflowed);
  }

  Turns turns_;
  const std::size_t limit_;
  const Drain drain_;
  std::mutex mutex_;  // guards everything below
  std::vector<Item> items_;
  bool overflowed_ = false;
  bool posted_ = false;
};

}  // namespace fermata::control
