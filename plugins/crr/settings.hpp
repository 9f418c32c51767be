#pragma once

#include "object.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

struct JournalSettings {
  std::chrono::milliseconds rescan_interval{3'600'000};  ///< a full look at the source, for file systems that notify nobody
  std::chrono::milliseconds settle{200};                 ///< a file found by a scan is journaled when it has not changed for so long
};

struct LocationSettings {
  std::string name;
  std::string path;
};

struct Settings {
  std::string source_path;
  JournalSettings journal;
  std::size_t workers = 8;
  std::vector<LocationSettings> locations;

  std::vector<std::string> location_names() const;
};

/// Reads the configuration that init gets. The host has checked it against the manifest's schemas; what they cannot say
/// is checked here. @return kInvalidArgument, naming the key.
Result<Settings> parse_settings(std::string_view config_json);

}  // namespace fermata::crr
