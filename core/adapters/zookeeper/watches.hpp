#pragma once

#include "adapters/zookeeper/session.hpp"
#include "base/callback_guard.hpp"
#include "base/executor.hpp"
#include "ports/state_store.hpp"
#include "telemetry/log.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace fermata::zookeeper {

/// Lasting watches made of ZooKeeper's one-shot ones, which are on the path, on its list of children and on each child.
/// What has fired is armed again before the callback is told. ZooKeeper answers a session's requests in order, so whatever
/// the callback then reads is at least as new as the watch, and the next change fires it again.
///
/// A path has at most one one-shot watch of a kind, however many watches want it. It is left to fire when they have ended:
/// the oldest ensembles cannot remove one.
/// After a lost connection the client names all paths in one message, of which the ensemble takes 1 MiB: children beyond
/// that are not watched one by one; then the callback is told every 10 s.
///
/// Threads: add [any]; all else, and the callbacks, on the dispatcher.
class Watches final : public SessionObserver {
 public:
  struct Limits {
    std::size_t armed_bytes = 1'000'000;
    std::chrono::milliseconds blind_interval{10'000};
  };

  Watches(Session& session, Executor& dispatcher, telemetry::Log& log, Limits limits)
      : session_(session), dispatcher_(dispatcher), log_(log), limits_(limits) {}

  /// Calls back once it stands, and after each change from then on. The watches outlive what is returned.
  std::unique_ptr<StateStore::Watch> add(std::string path, StateStore::WatchCallback callback);

  void connected(bool new_session) override;
  void ended() override;
  void changed(int type, const std::string& path) override;

 private:
  struct Watcher;
  class Handle;
  /// The one-shot watches that a path has now.
  struct Armed {
    bool entry = false;
    bool children = false;
  };

  void insert(std::shared_ptr<Watcher> watcher);
  void erase(const std::shared_ptr<Watcher>& watcher);
  void arm(const std::string& path);
  void arm_entry(const std::string& path);
  void arm_children(const std::string& path);
  void ask(Request::Kind kind, const std::string& path, void (Watches::*handle)(const std::string&, const Answer&));
  void entry_answered(const std::string& path, const Answer& answer);
  void children_answered(const std::string& path, const Answer& answer);
  bool arm_child(const std::string& path);
  void disarm(const std::string& path, bool Armed::*kind);
  void ring(std::string_view path);
  void ring(const std::shared_ptr<Watcher>& watcher);
  void ring_blind_later();

  Session& session_;
  Executor& dispatcher_;
  telemetry::Log& log_;
  const Limits limits_;
  bool active_ = false;           // there is a session
  std::uint64_t generation_ = 0;  // counts the sessions: what an earlier one answers is of no use
  std::multimap<std::string, std::shared_ptr<Watcher>, std::less<>> watchers_;
  std::unordered_map<std::string, Armed> armed_;
  std::size_t armed_bytes_ = 0;         // of the paths in armed_, once for each kind
  std::set<std::string> lost_entries_;  // to be armed with the next connection
  std::set<std::string> lost_lists_;    // likewise
  bool ringing_blind_ = false;          // the timer runs
};

}  // namespace fermata::zookeeper
