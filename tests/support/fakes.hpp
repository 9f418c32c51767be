#pragma once
// Doubles of the ports, in memory, with faults on demand. They pass the same contract suites as the real adapters.

#include "base/executor.hpp"
#include "ports/fanout.hpp"
#include "ports/key_value_store.hpp"
#include "ports/leases.hpp"
#include "ports/state_store.hpp"

#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fermata::testing {

/// Between an object and its callbacks on another thread: after close none runs. May be closed from inside one.
class Fence {
 public:
  template <typename Call>
  void run(Call&& call) {
    const std::lock_guard lock(mutex_);
    if (open_) call();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }

 private:
  std::recursive_mutex mutex_;  // guards open_, and is held while a callback runs
  bool open_ = true;
};

/// One tree that several sessions (FakeStateStore) share, as nodes share an ensemble.
class FakeStateTree {
 public:
  struct Node {
    std::string data;
    Version version = 0;
    const void* session = nullptr;  // owner, if ephemeral
  };
  std::mutex mutex;  // guards all below
  std::map<std::string, Node, std::less<>> nodes;
  struct Watcher {
    std::string path;
    StateStore::WatchCallback callback;
    Executor* executor;
    Fence fence = {};
  };
  std::list<std::shared_ptr<Watcher>> watchers;
};

/// A session on a FakeStateTree. Watch callbacks run as tasks of `executor`.
class FakeStateStore final : public StateStore {
 public:
  FakeStateStore(std::shared_ptr<FakeStateTree> tree, Executor& executor) : tree_(std::move(tree)), executor_(executor) {}
  ~FakeStateStore() override { expire(); }

  /// While set, every call fails with kUnavailable and this reason.
  void set_down(std::string reason) {
    const std::lock_guard lock(tree_->mutex);
    down_ = std::move(reason);
  }
  /// The next `count` writes are applied, but answer kUnavailable, as when a connection breaks in between.
  void lose_answers(int count) { lost_answers_ = count; }
  /// Runs once, just before the next write is applied: another client's write in between.
  void before_next_write(std::function<void()> action) { before_write_ = std::move(action); }
  /// Removes this session's ephemerals, as an expiry does.
  void expire() {
    std::vector<std::string> gone;
    {
      const std::lock_guard lock(tree_->mutex);
      for (auto node = tree_->nodes.begin(); node != tree_->nodes.end();) {
        if (node->second.session == this) {
          gone.push_back(node->first);
          node = tree_->nodes.erase(node);
        } else {
          ++node;
        }
      }
    }
    for (const auto& path : gone) notify(path);
  }
  /// Writes past all rules, as a foreign program would.
  void force(const std::string& path, const std::string& data) {
    {
      const std::lock_guard lock(tree_->mutex);
      auto [node, inserted] = tree_->nodes.try_emplace(path);
      node->second.data = data;
      if (!inserted) ++node->second.version;
    }
    notify(path);
  }

  Result<std::optional<StateEntry>> get(std::string_view path) override {
    const std::lock_guard lock(tree_->mutex);
    if (!down_.empty()) return Status(Code::kUnavailable, down_);
    const auto node = tree_->nodes.find(path);
    if (node == tree_->nodes.end()) return std::optional<StateEntry>();
    return std::optional(StateEntry{node->first, node->second.data, node->second.version});
  }

  Result<std::vector<StateEntry>> children(std::string_view path) override {
    const std::lock_guard lock(tree_->mutex);
    if (!down_.empty()) return Status(Code::kUnavailable, down_);
    std::vector<StateEntry> found;
    const std::string prefix = std::string(path) + "/";
    for (auto node = tree_->nodes.lower_bound(prefix); node != tree_->nodes.end() && node->first.starts_with(prefix); ++node)
      if (node->first.find('/', prefix.size()) == std::string::npos)
        found.push_back({node->first, node->second.data, node->second.version});
    return found;
  }

  Result<std::vector<Version>> write(std::span<const StateWrite> writes) override {
    if (auto action = std::exchange(before_write_, nullptr)) action();
    std::vector<Version> versions;
    {
      const std::lock_guard lock(tree_->mutex);
      if (!down_.empty()) return Status(Code::kUnavailable, down_);
      if (writes.size() > 1'000) return Status(Code::kInvalidArgument, "more than 1,000 writes");
      auto backup = tree_->nodes;
      for (const auto& one : writes) {
        auto version = apply(one);
        if (!version) {
          tree_->nodes = std::move(backup);
          return version.status();
        }
        versions.push_back(*version);
      }
    }
    for (const auto& one : writes) notify(one.path);
    if (lost_answers_ > 0) {
      --lost_answers_;
      return Status(Code::kUnavailable, "connection lost");
    }
    return versions;
  }

  std::unique_ptr<Watch> watch(std::string_view path, WatchCallback callback) override {
    auto watcher = std::make_shared<FakeStateTree::Watcher>();
    watcher->path = path;
    watcher->callback = std::move(callback);
    watcher->executor = &executor_;
    const std::lock_guard lock(tree_->mutex);
    tree_->watchers.push_back(watcher);
    return std::make_unique<FakeWatch>(tree_, watcher);
  }

  Health health() const override {
    const std::lock_guard lock(tree_->mutex);
    return {down_.empty(), down_, {}};
  }

 private:
  class FakeWatch final : public Watch {
   public:
    FakeWatch(std::shared_ptr<FakeStateTree> tree, std::shared_ptr<FakeStateTree::Watcher> watcher)
        : tree_(std::move(tree)), watcher_(std::move(watcher)) {}
    ~FakeWatch() override {
      watcher_->fence.close();
      const std::lock_guard lock(tree_->mutex);
      tree_->watchers.remove(watcher_);
    }

   private:
    std::shared_ptr<FakeStateTree> tree_;
    std::shared_ptr<FakeStateTree::Watcher> watcher_;
  };

  static std::string parent(std::string_view path) { return std::string(path.substr(0, path.rfind('/'))); }

  bool has_children(const std::string& path) const {
    const auto next = tree_->nodes.lower_bound(path + "/");
    return next != tree_->nodes.end() && next->first.starts_with(path + "/");
  }

  Result<Version> apply(const StateWrite& write) {
    const auto node = tree_->nodes.find(write.path);
    const bool exists = node != tree_->nodes.end();
    const bool fits = exists && (write.expected == StateWrite::kAnyVersion || node->second.version == write.expected);
    switch (write.kind) {
      case StateWrite::Kind::kCreate:
        if (exists) return Status(Code::kAlreadyExists, write.path + " is there already");
        break;
      case StateWrite::Kind::kPut:
        if (!exists) return Status(Code::kNotFound, "no " + write.path);
        if (!fits) return Status(Code::kAborted, write.path + " has another version");
        node->second.data = write.data;
        return ++node->second.version;
      case StateWrite::Kind::kRemove:
        if (!exists) return Status(Code::kNotFound, "no " + write.path);
        if (!fits) return Status(Code::kAborted, write.path + " has another version");
        if (has_children(write.path)) return Status(Code::kFailedPrecondition, write.path + " has children");
        tree_->nodes.erase(node);
        return Version{0};
      case StateWrite::Kind::kEphemeral:
        if (exists) {
          node->second.data = write.data;
          node->second.session = this;
          return ++node->second.version;
        }
        break;
    }
    for (std::string up = parent(write.path); !up.empty(); up = parent(up)) tree_->nodes.try_emplace(up);
    tree_->nodes[write.path] = {write.data, 0, write.kind == StateWrite::Kind::kEphemeral ? this : nullptr};
    return Version{0};
  }

  void notify(const std::string& path) {
    std::vector<std::shared_ptr<FakeStateTree::Watcher>> concerned;
    {
      const std::lock_guard lock(tree_->mutex);
      for (const auto& watcher : tree_->watchers)
        if (path == watcher->path || parent(path) == watcher->path) concerned.push_back(watcher);
    }
    for (const auto& watcher : concerned) watcher->executor->post([watcher] { watcher->fence.run(watcher->callback); });
  }

  std::shared_ptr<FakeStateTree> tree_;
  Executor& executor_;
  std::string down_;  // guarded by tree_->mutex
  std::atomic<int> lost_answers_{0};
  std::function<void()> before_write_;
};

/// The wire that several FakeFanouts share.
struct FakeWire {
  std::mutex mutex;  // guards subscribers
  struct Subscriber {
    const void* owner;
    std::set<std::string, std::less<>> channels;
    Fanout::Listener listener;
    Executor* executor;
    Fence fence = {};
  };
  std::list<std::shared_ptr<Subscriber>> subscribers;
  std::atomic<int> drop{0};                               ///< how many of the next messages are lost
  std::vector<std::pair<std::string, std::string>> sent;  ///< guarded by mutex: everything that was published
};

class FakeFanout final : public Fanout {
 public:
  FakeFanout(std::shared_ptr<FakeWire> wire, Executor& executor) : wire_(std::move(wire)), executor_(executor) {}
  ~FakeFanout() override {
    for (const auto& subscriber : leave()) subscriber->fence.close();
  }

  void set_down(std::string reason) { down_ = std::move(reason); }

  Status subscribe(std::vector<std::string> channels, Listener listener) override {
    auto subscriber = std::make_shared<FakeWire::Subscriber>();
    subscriber->owner = this;
    subscriber->channels.insert(channels.begin(), channels.end());
    subscriber->listener = std::move(listener);
    subscriber->executor = &executor_;
    for (const auto& former : leave()) former->fence.close();
    const std::lock_guard lock(wire_->mutex);
    wire_->subscribers.push_back(subscriber);
    executor_.post([subscriber] { subscriber->fence.run(subscriber->listener.on_subscribed); });
    return Status::ok();
  }

  Status publish(std::string_view channel, std::string_view message) override {
    if (!down_.empty()) return {Code::kUnavailable, down_};
    const std::lock_guard lock(wire_->mutex);
    wire_->sent.emplace_back(channel, message);
    if (wire_->drop > 0) {
      --wire_->drop;
      return Status::ok();
    }
    for (const auto& subscriber : wire_->subscribers) {
      if (!subscriber->channels.contains(channel)) continue;
      subscriber->executor->post([subscriber, c = std::string(channel), m = std::string(message)] {
        subscriber->fence.run([&] { subscriber->listener.on_message(c, m); });
      });
    }
    return Status::ok();
  }

  Health health() const override { return {down_.empty(), down_, {}}; }

 private:
  /// @return what this had subscribed; it is off the wire.
  std::list<std::shared_ptr<FakeWire::Subscriber>> leave() {
    std::list<std::shared_ptr<FakeWire::Subscriber>> own;
    const std::lock_guard lock(wire_->mutex);
    for (auto one = wire_->subscribers.begin(); one != wire_->subscribers.end();) {
      const auto next = std::next(one);
      if ((*one)->owner == this) own.splice(own.end(), wire_->subscribers, one);
      one = next;
    }
    return own;
  }

  std::shared_ptr<FakeWire> wire_;
  Executor& executor_;
  std::string down_;
};

/// Grants every lease at once, or when told. Several may share one board through `shared`.
class FakeLeases final : public Leases {
 public:
  explicit FakeLeases(Executor& executor, bool grant_at_once = true) : executor_(executor), grant_at_once_(grant_at_once) {}

  std::unique_ptr<Campaign> campaign(std::string_view name, Events events) override {
    auto entry = std::make_shared<Entry>();
    entry->name = name;
    entry->events = std::move(events);
    entries_.push_back(entry);
    if (grant_at_once_) grant(name);
    return std::make_unique<FakeCampaign>(*this, entry);
  }
  Result<std::string> holder(std::string_view) override { return std::string("fake"); }

  void grant(std::string_view name) {
    for (const auto& entry : entries_)
      if (entry->name == name) post(entry, [token = ++token_](Events& events) { events.on_granted(token); });
  }
  void lose(std::string_view name) {
    for (const auto& entry : entries_)
      if (entry->name == name) post(entry, [](Events& events) { events.on_lost(); });
  }

 private:
  struct Entry {
    std::string name;
    Events events;
    Fence fence;
  };
  class FakeCampaign final : public Campaign {
   public:
    FakeCampaign(FakeLeases& leases, std::shared_ptr<Entry> entry) : leases_(leases), entry_(std::move(entry)) {}
    ~FakeCampaign() override {
      entry_->fence.close();
      leases_.entries_.remove(entry_);
    }

   private:
    FakeLeases& leases_;
    std::shared_ptr<Entry> entry_;
  };

  void post(const std::shared_ptr<Entry>& entry, std::function<void(Events&)> call) {
    executor_.post([entry, call = std::move(call)] { entry->fence.run([&] { call(entry->events); }); });
  }

  Executor& executor_;
  bool grant_at_once_;
  std::list<std::shared_ptr<Entry>> entries_;
  std::uint64_t token_ = 0;
};

class FakeKeyValueStore final : public KeyValueStore {
 public:
  void set_down(std::string reason) {
    const std::lock_guard lock(mutex_);
    down_ = std::move(reason);
  }

  Status put(std::string_view space, std::string_view key, std::string_view value) override {
    const std::lock_guard lock(mutex_);
    if (!down_.empty()) return {Code::kUnavailable, down_};
    spaces_[std::string(space)][std::string(key)] = value;
    return Status::ok();
  }
  Status remove(std::string_view space, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    if (!down_.empty()) return {Code::kUnavailable, down_};
    spaces_[std::string(space)].erase(std::string(key));
    return Status::ok();
  }
  Result<std::optional<std::string>> get(std::string_view space, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    if (!down_.empty()) return Status(Code::kUnavailable, down_);
    const auto& entries = spaces_[std::string(space)];
    const auto entry = entries.find(std::string(key));
    return entry == entries.end() ? std::optional<std::string>() : std::optional(entry->second);
  }
  Result<std::vector<Entry>> scan(std::string_view space, std::string_view prefix, std::string_view after, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    if (!down_.empty()) return Status(Code::kUnavailable, down_);
    std::vector<Entry> found;
    const auto& entries = spaces_[std::string(space)];
    for (auto entry = entries.lower_bound(std::string(std::max(prefix, after))); entry != entries.end() && found.size() < limit; ++entry) {
      if (entry->first <= after && !after.empty()) continue;
      if (!entry->first.starts_with(prefix)) break;
      found.emplace_back(entry->first, entry->second);
    }
    return found;
  }

 private:
  std::mutex mutex_;  // guards all below
  std::map<std::string, std::map<std::string, std::string>> spaces_;
  std::string down_;
};

}  // namespace fermata::testing
