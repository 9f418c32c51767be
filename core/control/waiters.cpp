#include "control/waiters.hpp"

#include <algorithm>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kMaxWaiters = 10'000;

}  // namespace

void Waiters::wait(std::shared_ptr<Service> service, std::vector<std::size_t> locations, std::chrono::milliseconds timeout, Done done) {
  Waiter waiter{std::move(service), std::move(locations), {}, std::move(done)};
  waiter.open = waiter.locations;
  if (is_done(waiter)) return waiter.done(true);
  if (waiters_.size() >= kMaxWaiters) return waiter.done(false);
  const auto id = ++last_id_;
  waiter.timer = turns_.post_after(timeout, [this, id] { give_up(id); });
  waiters_.emplace(id, std::move(waiter));
}

void Waiters::check() {
  std::vector<Done> satisfied;
  for (auto entry = waiters_.begin(); entry != waiters_.end();) {
    auto& [id, waiter] = *entry;
    if (!is_done(waiter)) {
      ++entry;
      continue;
    }
    turns_.cancel(waiter.timer);
    satisfied.push_back(std::move(waiter.done));
    entry = waiters_.erase(entry);
  }
  for (const auto& done : satisfied) done(true);
}

// One location that is not there yet is enough to go on waiting, so a check costs little until the last ones. Then all
// are looked at once more, for what was seen first may have changed since.
bool Waiters::is_done(Waiter& waiter) const {
  while (!waiter.open.empty()) {
    if (!is_converged_(*waiter.service, waiter.open.back())) return false;
    waiter.open.pop_back();
  }
  std::ranges::copy_if(waiter.locations, std::back_inserter(waiter.open),
                       [&](std::size_t location) { return !is_converged_(*waiter.service, location); });
  return waiter.open.empty();
}

void Waiters::give_up(std::uint64_t id) {
  auto waiter = waiters_.extract(id);
  if (!waiter.empty()) waiter.mapped().done(false);
}

}  // namespace fermata::control
