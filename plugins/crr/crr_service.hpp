#pragma once

#include "cancellation.hpp"
#include "fair_pool.hpp"
#include "journal.hpp"
#include "object_routes.hpp"
#include "periodic_task.hpp"
#include "replicator.hpp"
#include "settings.hpp"

#include <fermata/sdk/service_extension.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fermata::crr {

class SourceRoot;

/// The service "crr": one journal of the source, one replicator for each location, wired to the host.
/// Threads it owns: the journal's, `workers` for copying, and one that looks after the targets.
class CrrService final : public sdk::ServiceExtension {
 public:
  Status init(sdk::Host& host, std::string_view config) override;
  Status start() override;
  Status stop() override;
  sdk::LocationStatus status(std::string_view location) override;

 private:
  Status register_locations(std::shared_ptr<ObjectSource> source);
  Status register_journal(std::shared_ptr<const SourceRoot> root);
  void process(std::size_t lane, const sdk::Record& record, sdk::Delivery delivery);
  void probe(const std::function<bool()>& stopping);
  /// Looks whether the source is there, for `status`, and says so in the log when that changes.
  void probe_source();

  sdk::Host* host_ = nullptr;  // the host's; set by init
  Settings settings_;
  Cancellation cancellation_;
  std::shared_ptr<const SourceRoot> source_root_;         // set by init
  std::mutex mutex_;                                      // guards source_problem_
  std::string source_problem_;                            // why the source cannot be read; empty if it can
  std::vector<std::unique_ptr<Replicator>> replicators_;  // in the order of settings_.locations
  std::unique_ptr<Journal> journal_;
  std::optional<ObjectRoutes> routes_;
  std::optional<FairPool> pool_;
  std::optional<PeriodicTask> prober_;
};

}  // namespace fermata::crr
