#include "plugin/graveyard.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fermata::plugin {

Graveyard::~Graveyard() {
  if (sweep() > 0) static_cast<void>(new std::vector<std::shared_ptr<Stuck>>(std::move(graves_)));  // never freed, on purpose
}

void Graveyard::bury(std::shared_ptr<Stuck> stuck) {
  const std::lock_guard lock(mutex_);
  graves_.push_back(std::move(stuck));
}

std::size_t Graveyard::sweep() {
  std::vector<std::shared_ptr<Stuck>> resting;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  const auto first = std::partition(graves_.begin(), graves_.end(), [](const auto& grave) { return !grave->at_rest(); });
  resting.assign(std::make_move_iterator(first), std::make_move_iterator(graves_.end()));
  graves_.erase(first, graves_.end());
  return graves_.size();
}

}  // namespace fermata::plugin
