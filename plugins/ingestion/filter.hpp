#pragma once

#include "log_parser.hpp"
#include "settings.hpp"

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace fermata::ingestion {

/// Decides which entries of a log are changes of the objects that we mirror.
/// Threads: immutable.
class Filter {
 public:
  /// In the order of `names`.
  enum class Verdict { kPass, kOtherBucket, kBucketMetadata, kIncomplete, kOwnWrite, kMasterCopy };
  static constexpr std::array<std::string_view, 6> names{"pass",       "other_bucket", "bucket_metadata",
                                                         "incomplete", "own_write",    "master_copy"};

  Filter(const LocationSettings& location, std::string instance_id);

  /// The settings of a source bucket; null if it is none of ours. Valid as long as the location's.
  const BucketSettings* find(std::string_view source_bucket) const;
  /// For an entry of one of our buckets, neither too large.
  Verdict judge(const LogEntry& entry) const;

 private:
  std::map<std::string, const BucketSettings*, std::less<>> buckets_;  // by source
  const std::string instance_id_;
};

}  // namespace fermata::ingestion
