#pragma once

#include <fermata/sdk/status.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::ingestion {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// A bucket of the source, and the bucket that mirrors it.
struct BucketSettings {
  std::string source;
  std::string target;
  std::string owner_id;
  std::string owner_display_name;
};

struct LocationSettings {
  enum class From { kNow, kBeginning };

  std::string name;
  std::string endpoint;
  std::string ca_file;
  std::vector<std::int64_t> sessions;
  std::vector<BucketSettings> buckets;
  From from = From::kNow;
  std::chrono::milliseconds poll_interval{1'000};

  const BucketSettings* find_source(std::string_view bucket) const;
  const BucketSettings* find_target(std::string_view bucket) const;
};

struct StoreSettings {
  std::string path;
  bool survives_power_loss = true;  ///< SQLite's synchronous=FULL, else NORMAL
  std::string replaces = {};        ///< id of the store whose place this one takes; empty: of none
};

struct Settings {
  std::optional<StoreSettings> store;  ///< nullopt: another node has it
  std::string instance_id;
  std::vector<LocationSettings> locations;
};

/// Reads what a plugin's init is given. @return kInvalidArgument naming the key.
Result<Settings> parse_settings(std::string_view config_json);

}  // namespace fermata::ingestion
