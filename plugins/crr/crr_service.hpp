#pragma once

#include "journal/event_intake.hpp"
#include "journal/journal.hpp"
#include "journal/scan_journal.hpp"
#include "journal/source_watch.hpp"
#include "journal/webhook.hpp"
#include "model/rules.hpp"
#include "model/settings.hpp"
#include "replication/replicator.hpp"
#include "routes/failed_routes.hpp"
#include "routes/object_routes.hpp"
#include "store/filesystem_source.hpp"
#include "work/cancellation.hpp"
#include "work/fair_pool.hpp"
#include "work/periodic_task.hpp"

#include "s3/client.hpp"

#include <fermata/sdk/service_extension.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fermata::crr {

/// The service "crr": journals of the source, one replicator for each location, wired to the host.
/// Threads it owns: the journals', `workers` for copying, and one that looks after source and targets.
class CrrService final : public sdk::ServiceExtension {
 public:
  Status init(sdk::Host& host, std::string_view config) override;
  Status start() override;
  Status stop() override;
  sdk::LocationStatus status(std::string_view location) override;

 private:
  Result<std::shared_ptr<ObjectSource>> make_source();
  Result<std::unique_ptr<ObjectStore>> make_store(const LocationSettings& location);
  Result<std::shared_ptr<s3::Client>> make_client(const S3Settings& settings);
  Status register_journals();
  Status register_journal(std::string name, std::unique_ptr<Journal> journal);
  Status add_filesystem_journal(const JournalSettings& journal);
  EventIntake& intake();
  Status add_scan(const JournalSettings& journal);
  Status register_locations(const std::shared_ptr<ObjectSource>& source);
  void process(std::size_t lane, const sdk::Record& record, sdk::Delivery delivery);
  void probe(const std::function<bool()>& stopping);

  sdk::Host* host_ = nullptr;  // the host's; set by init
  Settings settings_;
  Cancellation cancellation_;
  std::optional<Rules> rules_;                            // set by init
  std::vector<std::shared_ptr<s3::Client>> clients_;      // of source and locations in S3
  std::shared_ptr<s3::Client> source_client_;             // if the source is in S3
  std::shared_ptr<const SourceRoot> source_root_;         // if it is a directory
  std::optional<SourceWatch> source_watch_;               // set by init
  std::vector<std::unique_ptr<Replicator>> replicators_;  // in the order of settings_.locations
  std::vector<std::unique_ptr<Journal>> journals_;
  const ScanJournal* scan_ = nullptr;  // one of them, if there is one
  std::optional<EventIntake> intake_;  // if some journal brings events
  std::optional<Webhook> webhook_;
  std::optional<ObjectRoutes> object_routes_;
  std::optional<FailedRoutes> failed_routes_;
  std::optional<FairPool> pool_;
  std::optional<PeriodicTask> prober_;
};

}  // namespace fermata::crr
