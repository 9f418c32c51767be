#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::ingestion {

/// What decides over an entry of the log, read from the metadata of its object without keeping the rest.
struct MetadataFacts {
  bool is_bucket_metadata = false;  ///< has mdBucketModelVersion or attributes
  bool is_null = false;
  bool has_length = false;
  bool has_md5 = false;
  bool has_last_modified = false;
  std::string version_id;
  std::string instance_id;  ///< x-amz-meta-zenko-instance-id

  bool is_complete() const { return has_length && has_md5 && has_last_modified; }
};

/// nullopt: not a JSON object.
std::optional<MetadataFacts> read_metadata_facts(std::string_view metadata);

}  // namespace fermata::ingestion
