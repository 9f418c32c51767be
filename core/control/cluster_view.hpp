#pragma once

#include "control/control_plane.hpp"
#include "control/location_view.hpp"
#include "control/observed_state.hpp"
#include "control/service_table.hpp"
#include "control/turns.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fermata::control {

/// Who lives in the cluster and what each node does, as ephemeral entries of the state store:
///   <base>/fermata/nodes/<node>                          one per node
///   <base>/fermata/observed/<service>/<node>.<chunk>     256 locations each, rewritten when they changed
/// A node that is alone has nobody to tell and writes only that it lives. Each turn makes few calls of the store, and none
/// while the store says that it is lost, so that what operators want does not wait behind it.
/// Threads: [turn], but nodes, conflict and votes [any].
class ClusterView {
 public:
  ClusterView(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns, ServiceTable& table,
              std::function<void()> on_change);

  /// Watches; `refresh` then presents this node and finds the others. After it, services may be added and removed.
  void start();
  void add(const Service& service);
  void remove(const Service& service);
  /// Looks at everything again, and presents this node again if it is missing or has changed.
  void refresh();
  /// What this node does for a location may have changed; others are told within 20 ms.
  void touch(const Service& service, std::size_t location);
  void touch_all();
  /// Takes back what this node wrote, as far as the store is there.
  void withdraw();

  std::vector<NodeView> nodes() const;
  /// Not empty: another process presents itself under this node's name, and which.
  std::string conflict() const;
  /// Of every live node that runs the location, by name.
  std::vector<NodeVote> votes(const Service& service, std::size_t location, Version version, LocationObservation own) const;

 private:
  using Chunks = std::map<std::size_t, std::shared_ptr<const ObservedChunk>>;
  struct Seen {
    std::size_t digest;
    std::shared_ptr<const ObservedChunk> chunk;
  };
  using NodeInstance = std::pair<std::string, std::string>;
  using ChunkId = std::pair<std::string, std::size_t>;  // service, chunk

  void announce();
  void read_nodes();
  void check_presence(const std::optional<StateEntry>& stored);
  bool is_namesake(const std::optional<StateEntry>& stored) const;
  void set_conflict(std::string conflict);
  void read_observed(const std::string& service);
  void watch(const std::string& service);
  void look_after(std::chrono::milliseconds delay, const std::string& service);
  Result<std::vector<StateEntry>> list(const std::string& path);
  void look(const std::string& service);
  void publish_soon();
  void publish();
  void publish_later();
  void publish_counts();
  Status write_chunk(const Service& service, std::size_t chunk);
  NodeEntry self() const;
  void take_over(std::vector<NodeEntry> nodes);
  void log_moves(const std::vector<NodeEntry>& nodes) const;
  bool alone() const;
  void check_own(const Service& service, const std::set<std::string>& seen);
  bool erase(const std::string& path);
  Status usable() const;
  bool went_well(const Status& status);
  std::string observed_path(std::string_view service) const;
  std::string chunk_path(std::string_view service, std::size_t chunk) const;
  std::string own_path() const;

  const ControlPlane::Options options_;
  ControlPlane::Dependencies dependencies_;
  Turns turns_;
  ServiceTable& table_;
  const std::function<void()> on_change_;
  const std::string nodes_path_;
  const WallTime started_at_;
  const std::string instance_;  // see NodeEntry

  std::map<std::string, std::unique_ptr<StateStore::Watch>> watches_;  // by service; "" for the nodes
  std::set<std::string> looking_;                                      // services whose observed states are read soon; "" for the nodes
  std::set<ChunkId> touched_;                                          // to be told with the next round
  std::set<ChunkId> outbox_;                                           // to be told in this round, one each turn
  std::map<std::string, std::size_t> written_;                         // path -> digest of what this node wrote there
  std::map<std::string, std::map<std::string, Seen>> read_;            // service -> path -> what was there
  bool publishing_ = false;                                            // a round runs or is about to
  TimerId counts_timer_ = 0;
  bool announced_ = false;   // an entry of ours has been there
  bool in_trouble_ = false;  // said so in the log

  mutable std::mutex mutex_;                                      // guards what follows
  std::vector<NodeEntry> nodes_;                                  // by id, this one included
  std::map<std::string, std::map<NodeInstance, Chunks>> others_;  // service -> who -> what it says
  std::string conflict_;
};

}  // namespace fermata::control
