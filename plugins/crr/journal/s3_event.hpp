#pragma once

#include "model/object.hpp"
#include "model/record.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// What a store tells of one object.
struct S3Event {
  ReplicationRecord::Type type = ReplicationRecord::Type::kPut;
  bool removed = false;  ///< the object, or its newest version, may be gone
  ObjectId id = {};
  std::string version_id = {};  ///< empty: the bucket keeps none, or the store does not tell (then `type` is kSync or kTags)
  std::string etag = {};        ///< without quotes
  std::uint64_t size = 0;
  std::int64_t time_ms = 0;       ///< it happened within `time_span_ms` from then on; 0: not told
  std::int64_t time_span_ms = 1;  ///< stores tell milliseconds, or whole seconds
};

struct S3Notification {
  std::vector<S3Event> events;  ///< in the order of the message
  std::size_t ignored = 0;      ///< those that replication does not need: tests, restores, access lists, ...
  std::size_t replicas = 0;     ///< those of objects that a replicator wrote
};

/// Reads a notification in the form of AWS, {"Records":[...]}, as AWS, MinIO, Ceph and VersityGW write it.
/// kInvalidArgument, naming the field that is missing or wrong.
///
/// VersityGW names no version of what is put or deleted, not even in buckets that keep versions: such an event only says that
/// something happened to the key (kSync).
Result<S3Notification> parse_s3_notification(std::string_view json);

/// What tells one version of a key from the others, whoever told of it.
std::string version_fingerprint(std::string_view version_id, std::string_view etag);

}  // namespace fermata::crr
