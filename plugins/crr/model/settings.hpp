#pragma once

#include "model/object.hpp"
#include "model/rules.hpp"

#include "s3/client.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// How an S3 server is reached.
struct S3Settings {
  std::string endpoint = {};  ///< "http://host:port" or "https://..."
  std::string region = "us-east-1";
  std::string access_key = {};
  std::string secret_key = {};
  bool path_style = true;
  std::string ca_file = {};  ///< empty: the system's
  s3::Options::Payload payload_signing = s3::Options::Payload::kAuto;
};

struct SourceSettings {
  enum class Type { kFilesystem, kS3 };
  Type type = Type::kFilesystem;
  std::string path = {};  ///< kFilesystem
  S3Settings s3 = {};     ///< kS3
};

/// One way how changes of the source are found.
struct JournalSettings {
  enum class Type { kFilesystem, kS3Events, kS3Webhook, kScan };
  Type type = Type::kFilesystem;
  // kFilesystem
  std::chrono::milliseconds rescan_interval{3'600'000};  ///< a full look at the source, for file systems that notify nobody
  std::chrono::milliseconds settle{200};                 ///< a file found by a scan is journaled when it has not changed for so long
  std::string topic = {};                                ///< kS3Events: that the store publishes to
  std::string token = {};                                ///< kS3Webhook
  std::chrono::milliseconds interval{0};                 ///< kScan: between the beginnings of two scans; 0: one scan
};

struct LocationSettings {
  enum class Type { kFilesystem, kS3 };
  std::string name;
  Type type = Type::kFilesystem;
  std::string path = {};                                    ///< kFilesystem
  S3Settings s3 = {};                                       ///< kS3
  bool create_buckets = true;                               ///< kS3: make a bucket that is missing, and let it keep versions
  std::map<std::string, std::string> storage_classes = {};  ///< kS3: the source's class to the target's; others: the target's default
  double error_rate = 0.5;  ///< of the last tries: from there on the target counts as unreachable; 0 < rate <= 1
};

struct Settings {
  SourceSettings source;
  std::vector<JournalSettings> journals;  ///< at least one; for a filesystem exactly one, of its type
  std::vector<Rule> rules;                ///< empty: every object to every location
  std::size_t workers = 8;
  std::vector<LocationSettings> locations;

  std::vector<std::string> location_names() const;
};

/// Reads the configuration that init gets. The host has checked it against the manifest's schemas; what they cannot say
/// is checked here. @return kInvalidArgument, naming the key.
Result<Settings> parse_settings(std::string_view config_json);

}  // namespace fermata::crr
