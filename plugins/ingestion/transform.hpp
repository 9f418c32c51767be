#pragma once

#include "record.hpp"
#include "settings.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::ingestion {

/// A change as the store keeps it.
struct StoredChange {
  enum class Kind { kObject, kDeleteMarker, kRemoval };

  Kind kind = Kind::kObject;
  std::string bucket;
  std::string key;         ///< of the object
  std::string version;     ///< internal id that the metadata key bore; empty: the plain key
  std::string version_id;  ///< internal id in the metadata; empty: it never had a version
  bool is_null = false;    ///< the null version
  std::int64_t size = 0;
  std::string md5;
  std::string last_modified;
  std::string metadata;  ///< what the object's metadata is at the target
  LogOrigin origin;
};

/// What becomes of a change on its way into the mirror: it belongs to the target bucket's owner, its data lies at the location.
/// kInvalidArgument: the metadata is no JSON object, or lacks what an object needs.
Result<StoredChange> transform(Change change, const BucketSettings& bucket, std::string_view location);

}  // namespace fermata::ingestion
