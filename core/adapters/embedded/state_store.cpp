#include "adapters/embedded/state_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <utility>

namespace fermata::embedded {

namespace {

constexpr std::size_t kMaxWrites = 1'000;
constexpr std::size_t kMaxEntryBytes = 512u << 10;

constexpr std::array kSchema{
    "CREATE TABLE entries(parent TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, data BLOB NOT NULL,"
    "  PRIMARY KEY(parent, name)) WITHOUT ROWID;"
    "CREATE TABLE opened(id INTEGER PRIMARY KEY CHECK(id = 1), times INTEGER NOT NULL);"
    "INSERT INTO opened VALUES(1, 0);",
};

std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }
std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Status check_path(std::string_view path) {
  if (path.size() < 2 || path.front() != '/' || path.back() == '/' || path.find("//") != std::string_view::npos)
    return {Code::kInvalidArgument, fmt::format("'{}' is no state path: write it as /a/b, without empty parts or a '/' at the end", path)};
  return Status::ok();
}

}  // namespace

struct SqliteStateStore::Watcher {
  WatchCallback callback;
  CallbackGuard guard;
  std::atomic<bool> waiting{false};  ///< a call is on its way; more changes need no other
};

class SqliteStateStore::WatchHandle final : public Watch {
 public:
  WatchHandle(SqliteStateStore& store, std::shared_ptr<Watcher> watcher) : store_(store), watcher_(std::move(watcher)) {}
  ~WatchHandle() override {
    {
      const std::lock_guard lock(store_.watchers_mutex_);
      std::erase_if(store_.watchers_, [this](const auto& entry) { return entry.second == watcher_; });
    }
    watcher_->guard.close();
  }

 private:
  SqliteStateStore& store_;
  std::shared_ptr<Watcher> watcher_;
};

/// The writes of one call on their way into the tree; undone unless kept. Used under the store's mutex.
class SqliteStateStore::Batch {
 public:
  explicit Batch(SqliteStateStore& store) : store_(store) {}
  ~Batch() {
    for (auto change = undo_.rbegin(); change != undo_.rend(); ++change) set(change->first, std::move(change->second));
  }

  Result<Version> apply(const StateWrite& write) {
    if (auto valid = check_path(write.path); !valid) return valid;
    if (write.data.size() > kMaxEntryBytes)
      return Status(Code::kInvalidArgument, fmt::format("{}: {} bytes, of at most {}", write.path, write.data.size(), kMaxEntryBytes));
    const Node* node = store_.find(write.path);
    switch (write.kind) {
      case StateWrite::Kind::kCreate:
        if (node != nullptr) return Status(Code::kAlreadyExists, write.path + " is there already");
        return put(write.path, {write.data, 0, false});
      case StateWrite::Kind::kEphemeral: return put(write.path, {write.data, node == nullptr ? 0 : node->version + 1, true});
      case StateWrite::Kind::kPut:
        if (auto fits = check_version(write, node); !fits) return fits;
        return put(write.path, {write.data, node->version + 1, node->ephemeral});
      case StateWrite::Kind::kRemove:
        if (auto fits = check_version(write, node); !fits) return fits;
        return remove(write.path);
    }
    return Status(Code::kInvalidArgument, write.path + ": unknown kind of write");
  }

  /// Brings the tree's changed paths to the database. Throws SqlError.
  void save() {
    std::optional<Transaction> transaction;
    for (const auto& [path, before] : undo_) {
      const Node* node = store_.find(path);
      const bool durable = node != nullptr && !node->ephemeral;
      const bool was_durable = before && !before->ephemeral;
      if (!durable && !was_durable) continue;
      if (!transaction) transaction.emplace(store_.database_);
      if (durable)
        store_.database_.run("INSERT OR REPLACE INTO entries(parent, name, version, data) VALUES(?, ?, ?, ?)", parent_of(path),
                             name_of(path), node->version, Blob{node->data});
      else
        store_.database_.run("DELETE FROM entries WHERE parent = ? AND name = ?", parent_of(path), name_of(path));
    }
    if (transaction) transaction->commit();
  }

  /// @return every path that changed.
  std::vector<std::string> keep() {
    std::vector<std::string> paths;
    for (auto& [path, before] : undo_) paths.push_back(std::move(path));
    undo_.clear();
    return paths;
  }

 private:
  static Status check_version(const StateWrite& write, const Node* node) {
    if (node == nullptr) return {Code::kNotFound, "no " + write.path};
    if (write.expected != StateWrite::kAnyVersion && node->version != write.expected)
      return {Code::kAborted, fmt::format("{} has version {}, not {}", write.path, node->version, write.expected)};
    return Status::ok();
  }

  Version put(const std::string& path, Node node) {
    for (std::string_view up = parent_of(path); !up.empty() && store_.find(up) == nullptr; up = parent_of(up)) {
      set(std::string(up), Node{});
      undo_.emplace_back(up, std::nullopt);
    }
    const Version version = node.version;
    remember(path);
    set(path, std::move(node));
    return version;
  }

  Result<Version> remove(const std::string& path) {
    if (store_.tree_.contains(path)) return Status(Code::kFailedPrecondition, path + " has children: remove them first");
    remember(path);
    set(path, std::nullopt);
    return Version{0};
  }

  void remember(const std::string& path) {
    const Node* node = store_.find(path);
    undo_.emplace_back(path, node == nullptr ? std::nullopt : std::optional(*node));
  }

  void set(std::string_view path, std::optional<Node> node) {
    const auto siblings = store_.tree_.try_emplace(std::string(parent_of(path))).first;
    if (node)
      siblings->second.insert_or_assign(std::string(name_of(path)), std::move(*node));
    else
      siblings->second.erase(std::string(name_of(path)));
    if (siblings->second.empty()) store_.tree_.erase(siblings);
  }

  SqliteStateStore& store_;
  std::vector<std::pair<std::string, std::optional<Node>>> undo_;  ///< what stood there before, in order of change
};

SqliteStateStore::SqliteStateStore(const std::string& file, Executor& dispatcher, const Clock& clock)
    : dispatcher_(dispatcher), health_(clock), database_(file) {
  database_.migrate(kSchema);
  load();
}

void SqliteStateStore::load() {
  database_.run("UPDATE opened SET times = times + 1");
  Query times = database_.query("SELECT times FROM opened");
  if (times.next()) opened_times_ = static_cast<std::uint64_t>(times.integer(0));
  Query entries = database_.query("SELECT parent, name, version, data FROM entries");
  while (entries.next())
    tree_[std::string(entries.bytes(0))][std::string(entries.bytes(1))] = {std::string(entries.bytes(3)), entries.integer(2), false};
}

SqliteStateStore::Node* SqliteStateStore::find(std::string_view path) {
  const auto siblings = tree_.find(parent_of(path));
  if (siblings == tree_.end()) return nullptr;
  const auto node = siblings->second.find(name_of(path));
  return node == siblings->second.end() ? nullptr : &node->second;
}

Result<std::optional<StateEntry>> SqliteStateStore::get(std::string_view path) {
  if (auto valid = check_path(path); !valid) return valid;
  const std::lock_guard lock(mutex_);
  const Node* node = find(path);
  if (node == nullptr) return std::optional<StateEntry>();
  return std::optional(StateEntry{std::string(path), node->data, node->version});
}

Result<std::vector<StateEntry>> SqliteStateStore::children(std::string_view path) {
  if (auto valid = check_path(path); !valid) return valid;
  std::vector<StateEntry> found;
  const std::lock_guard lock(mutex_);
  const auto siblings = tree_.find(path);
  if (siblings == tree_.end()) return found;
  for (const auto& [name, node] : siblings->second) found.push_back({fmt::format("{}/{}", path, name), node.data, node.version});
  return found;
}

Result<std::vector<Version>> SqliteStateStore::write(std::span<const StateWrite> writes) {
  if (writes.size() > kMaxWrites)
    return Status(Code::kInvalidArgument, fmt::format("{} writes in one batch, of at most {}", writes.size(), kMaxWrites));
  std::vector<Version> versions;
  std::vector<std::string> changed;
  {
    const std::lock_guard lock(mutex_);
    Batch batch(*this);
    for (const auto& one : writes) {
      auto version = batch.apply(one);
      if (!version) return version.status();
      versions.push_back(*version);
    }
    try {
      batch.save();
    } catch (const SqlError& error) {
      health_.set(error.status());
      return error.status();
    }
    changed = batch.keep();
  }
  health_.set(Status::ok());
  notify(changed);
  return versions;
}

void SqliteStateStore::probe() {
  if (health_.get().ok) return;
  const std::lock_guard lock(mutex_);
  try {
    database_.run("UPDATE opened SET times = times");
    health_.set(Status::ok());
  } catch (const SqlError& error) {
    health_.set(error.status());
  }
}

std::unique_ptr<StateStore::Watch> SqliteStateStore::watch(std::string_view path, WatchCallback callback) {
  auto watcher = std::make_shared<Watcher>();
  watcher->callback = std::move(callback);
  const std::lock_guard lock(watchers_mutex_);
  watchers_.emplace(path, watcher);
  return std::make_unique<WatchHandle>(*this, std::move(watcher));
}

void SqliteStateStore::notify(const std::vector<std::string>& changed) {
  std::vector<std::shared_ptr<Watcher>> concerned;
  {
    const std::lock_guard lock(watchers_mutex_);
    if (watchers_.empty()) return;
    const auto collect = [&](std::string_view path) {
      const auto [first, last] = watchers_.equal_range(path);
      for (auto entry = first; entry != last; ++entry)
        if (!entry->second->waiting.exchange(true)) concerned.push_back(entry->second);
    };
    for (const auto& path : changed) {
      collect(path);
      collect(parent_of(path));
    }
  }
  for (auto& watcher : concerned) {
    dispatcher_.post([watcher] {
      watcher->waiting = false;
      watcher->guard.run(watcher->callback);
    });
  }
}

}  // namespace fermata::embedded
