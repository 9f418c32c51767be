#pragma once

#include "log_reader.hpp"
#include "settings.hpp"
#include "store_routes.hpp"
#include "store_writer.hpp"

#include <fermata/sdk/service_extension.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::ingestion {

/// The service "ingestion": for each location a reader per raft session, which pauses with the location, and a processor, which
/// never does: what is queued goes on. Threads it owns: one per reader, and one that writes the store.
class IngestionService final : public sdk::ServiceExtension {
 public:
  Status init(sdk::Host& host, std::string_view config) override;
  Status start() override;
  Status stop() override;
  Status pause(std::string_view location) override;
  Status resume(std::string_view location) override;
  sdk::LocationStatus status(std::string_view location) override;

 private:
  struct Location {
    const LocationSettings* settings = nullptr;
    std::map<std::string, const BucketSettings*, std::less<>> targets;  // by name
    std::map<std::string, const BucketSettings*, std::less<>> in_keys;  // by what the keys of records begin with
    StoreMetrics metrics;
    std::vector<std::unique_ptr<LogReader>> readers;
  };

  Status add_location(const LocationSettings& settings);
  Status add_reader(Location& location, std::int64_t session);
  Status start_store();
  /// Of the cluster's nodes one has the store, as each would get but a part of the records. @return why it is not this one.
  Result<std::string> claim(const std::string& store_id) const;
  Location* find(std::string_view name);
  void process(const Location& location, const sdk::Record& record, sdk::Delivery delivery);

  sdk::Host* host_ = nullptr;  // set by init
  Settings settings_;
  std::vector<std::unique_ptr<Location>> locations_;
  std::optional<StoreRoutes> routes_;  // set by init
  std::optional<StoreWriter> writer_;  // set by init, if the store is here
};

}  // namespace fermata::ingestion
