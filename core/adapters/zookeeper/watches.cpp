#include "adapters/zookeeper/watches.hpp"

#include "adapters/zookeeper/errors.hpp"
#include "adapters/zookeeper/paths.hpp"

#include <algorithm>
#include <utility>

namespace fermata::zookeeper {
namespace {

constexpr std::size_t kLengthBytes = 4;  // before each path in a message

}  // namespace

struct Watches::Watcher {
  std::string path;
  StateStore::WatchCallback callback;
  CallbackGuard guard;
  bool ringing = false;  // a call is on its way; more changes need no other. Used by the dispatcher, as the next
  bool blind = false;    // some children are not watched
};

class Watches::Handle final : public StateStore::Watch {
 public:
  Handle(Watches& watches, std::shared_ptr<Watcher> watcher) : watches_(watches), watcher_(std::move(watcher)) {}
  ~Handle() override {
    watcher_->guard.close();
    watches_.dispatcher_.post([&watches = watches_, watcher = watcher_] { watches.erase(watcher); });
  }

 private:
  Watches& watches_;
  std::shared_ptr<Watcher> watcher_;
};

std::unique_ptr<StateStore::Watch> Watches::add(std::string path, StateStore::WatchCallback callback) {
  auto watcher = std::make_shared<Watcher>();
  watcher->path = std::move(path);
  watcher->callback = std::move(callback);
  dispatcher_.post([this, watcher] { insert(watcher); });
  return std::make_unique<Handle>(*this, std::move(watcher));
}

void Watches::insert(std::shared_ptr<Watcher> watcher) {
  const auto path = watcher->path;
  watchers_.emplace(path, std::move(watcher));
  if (!active_) return;
  // Children that changed while nobody listened are not watched any more: the list has to be gone through again.
  if (watchers_.count(path) == 1) disarm(path, &Armed::children);
  arm(path);
}

void Watches::erase(const std::shared_ptr<Watcher>& watcher) {
  const auto [first, last] = watchers_.equal_range(watcher->path);
  const auto found = std::find_if(first, last, [&](const auto& entry) { return entry.second == watcher; });
  if (found != last) watchers_.erase(found);
}

// The session's life.

void Watches::connected(bool new_session) {
  active_ = true;
  if (new_session) {
    ++generation_;
    for (auto entry = watchers_.begin(); entry != watchers_.end(); entry = watchers_.upper_bound(entry->first)) arm(entry->first);
    return;
  }
  // What had been armed the client has armed again; here is what was on its way.
  for (const auto& path : std::exchange(lost_entries_, {})) {
    arm_entry(path);
    ring(path);
    ring(parent_of(path));
  }
  for (const auto& path : std::exchange(lost_lists_, {})) arm_children(path);
}

void Watches::ended() {
  active_ = false;
  armed_.clear();
  armed_bytes_ = 0;
  lost_entries_.clear();
  lost_lists_.clear();
}

void Watches::changed(int type, const std::string& path) {
  if (!active_) return;
  if (type == ZOO_CHILD_EVENT) {
    disarm(path, &Armed::children);
    if (watchers_.contains(path)) arm_children(path);
    return;
  }
  disarm(path, &Armed::entry);
  if (type == ZOO_DELETED_EVENT) disarm(path, &Armed::children);
  if (watchers_.contains(path)) {
    arm_entry(path);
    if (type == ZOO_CHANGED_EVENT)
      ring(path);
    else
      arm_children(path);
  }
  // The parent's list tells of what was removed.
  if (type != ZOO_DELETED_EVENT && watchers_.contains(parent_of(path))) {
    arm_entry(path);
    ring(parent_of(path));
  }
}

// Arming. What is on its way counts as armed.

void Watches::arm(const std::string& path) {
  arm_entry(path);
  arm_children(path);
}

void Watches::arm_entry(const std::string& path) {
  auto& armed = armed_[path].entry;
  if (std::exchange(armed, true)) return;
  armed_bytes_ += path.size() + kLengthBytes;
  ask(Request::Kind::kExists, path, &Watches::entry_answered);
}

void Watches::arm_children(const std::string& path) {
  auto& armed = armed_[path].children;
  if (std::exchange(armed, true)) return ring(path);
  armed_bytes_ += path.size() + kLengthBytes;
  ask(Request::Kind::kChildren, path, &Watches::children_answered);
}

void Watches::ask(Request::Kind kind, const std::string& path, void (Watches::*handle)(const std::string&, const Answer&)) {
  session_.ask({.kind = kind, .path = path, .watch = true}, [this, path, handle, generation = generation_](Answer answer) {
    dispatcher_.post([this, path, handle, generation, answer = std::move(answer)] {
      if (active_ && generation == generation_) (this->*handle)(path, answer);
    });
  });
}

void Watches::entry_answered(const std::string& path, const Answer& answer) {
  if (!is_lost(answer.code)) return;
  disarm(path, &Armed::entry);
  lost_entries_.insert(path);
}

void Watches::children_answered(const std::string& path, const Answer& answer) {
  if (answer.code != ZOK) disarm(path, &Armed::children);
  if (is_lost(answer.code)) {
    lost_lists_.insert(path);
    return;
  }
  bool complete = true;
  for (const auto& name : answer.names) complete = arm_child(path + "/" + name) && complete;
  const auto [first, last] = watchers_.equal_range(path);
  for (auto entry = first; entry != last; ++entry) entry->second->blind = !complete;
  if (!complete && !ringing_blind_) {
    log_.warn("zookeeper", "more children than can be watched one by one: of some, changes are seen late",
              {{"path", path}, {"ms", std::to_string(limits_.blind_interval.count())}});
    ring_blind_later();
  }
  ring(path);
}

bool Watches::arm_child(const std::string& path) {
  const auto known = armed_.find(path);
  const bool armed = known != armed_.end() && known->second.entry;
  if (!armed && armed_bytes_ + path.size() + kLengthBytes > limits_.armed_bytes) return false;
  arm_entry(path);
  return true;
}

void Watches::disarm(const std::string& path, bool Armed::*kind) {
  const auto found = armed_.find(path);
  if (found == armed_.end()) return;
  if (std::exchange(found->second.*kind, false)) armed_bytes_ -= path.size() + kLengthBytes;
  if (!found->second.entry && !found->second.children) armed_.erase(found);
}

// Telling.

void Watches::ring(std::string_view path) {
  const auto [first, last] = watchers_.equal_range(path);
  for (auto entry = first; entry != last; ++entry) ring(entry->second);
}

void Watches::ring(const std::shared_ptr<Watcher>& watcher) {
  if (std::exchange(watcher->ringing, true)) return;
  dispatcher_.post([watcher] {
    watcher->ringing = false;
    watcher->guard.run(watcher->callback);
  });
}

void Watches::ring_blind_later() {
  ringing_blind_ = true;
  dispatcher_.post_after(limits_.blind_interval, [this] {
    ringing_blind_ = false;
    bool any = false;
    for (const auto& [path, watcher] : watchers_) {
      if (!watcher->blind) continue;
      any = true;
      ring(watcher);
    }
    if (any) ring_blind_later();
  });
}

}  // namespace fermata::zookeeper
