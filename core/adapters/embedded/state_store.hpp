#pragma once

#include "adapters/embedded/sqlite.hpp"
#include "base/callback_guard.hpp"
#include "base/executor.hpp"
#include "ports/health.hpp"
#include "ports/state_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::embedded {

/// The state tree: held in memory, of which all but the ephemerals is written through to state.db before a write returns.
/// Writes are applied in the caller's thread, one at a time.
class SqliteStateStore final : public StateStore {
 public:
  /// Throws SqlError. @param dispatcher  runs the watches; outlives the store.
  SqliteStateStore(const std::string& file, Executor& dispatcher, const Clock& clock);

  Result<std::optional<StateEntry>> get(std::string_view path) override;
  Result<std::vector<StateEntry>> children(std::string_view path) override;
  Result<std::vector<Version>> write(std::span<const StateWrite> writes) override;
  std::unique_ptr<Watch> watch(std::string_view path, WatchCallback callback) override;
  Health health() const override { return health_.get(); }

  /// How often this data directory was opened, this time included.
  std::uint64_t opened_times() const { return opened_times_; }
  /// Tries a small write if the last one failed, so that health shows when the disk is well again. Blocks for I/O.
  void probe();

 private:
  struct Node {
    std::string data;
    Version version = 0;
    bool ephemeral = false;
  };
  using Siblings = std::map<std::string, Node, std::less<>>;
  class Batch;
  struct Watcher;
  class WatchHandle;

  void load();
  Node* find(std::string_view path);
  void notify(const std::vector<std::string>& changed);

  Executor& dispatcher_;
  HealthCell health_;
  std::mutex mutex_;  // guards database_ and tree_
  Database database_;
  std::map<std::string, Siblings, std::less<>> tree_;  ///< by the parent's path ("" for the top), then by name
  std::uint64_t opened_times_ = 0;
  std::mutex watchers_mutex_;  // guards watchers_
  std::multimap<std::string, std::shared_ptr<Watcher>, std::less<>> watchers_;
};

}  // namespace fermata::embedded
