#include "journal/source_watch.hpp"

#include <utility>

namespace fermata::crr {

void SourceWatch::probe() {
  if (std::chrono::steady_clock::now() < next_) return;
  const std::string problem = check_().message();
  next_ = std::chrono::steady_clock::now() + kInterval;
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(problem_, problem);
  }
  if (before.empty() && !problem.empty()) host_.warn(problem);
  if (!before.empty() && problem.empty()) host_.info("the source " + name_ + " is there again");
}

std::string SourceWatch::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace fermata::crr
