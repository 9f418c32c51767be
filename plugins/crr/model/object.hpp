#pragma once

#include <fermata/sdk/status.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::crr {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// Longest object key that is replicated; a longer one would not fit the host's store together with its location's name.
constexpr std::size_t kMaxKeyBytes = 3'072;

/// Files of our own that are being written; never objects.
constexpr std::string_view kTemporaryPrefix = ".fermata-tmp-";

/// What marks a replica in its user metadata, as Backbeat and CloudServer have it; without "x-amz-meta-".
constexpr std::string_view kReplicaMark = "scal-replication-status";
constexpr std::string_view kReplicaStatus = "REPLICA";
constexpr std::string_view kVersionMark = "scal-version-id";

struct ObjectId {
  std::string bucket;
  std::string key;

  /// "<bucket>/<key>", as operators write it.
  std::string path() const { return bucket + "/" + key; }
  bool operator==(const ObjectId&) const = default;
};

/// Splits "<bucket>/<key>". kInvalidArgument if either is empty.
Result<ObjectId> parse_object_path(std::string_view path);

/// Why this path, of valid components, is no object's; empty if it can be one.
std::string_view why_no_object(std::string_view path);

using Tags = std::map<std::string, std::string>;

/// Headers that are kept with an object and come back with it.
struct ContentHeaders {
  std::string type = {};
  std::string encoding = {};
  std::string disposition = {};
  std::string language = {};
  std::string cache_control = {};
  std::string expires = {};
};

/// What is carried over beside the bytes.
struct ObjectMeta {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t mode = 0;  ///< permission bits
  /// Names without the "user." of extended attributes, or the "x-amz-meta-" of headers; values are bytes.
  std::vector<std::pair<std::string, std::string>> user_metadata = {};
  /// Differs whenever content or metadata differ; only its equality means something.
  std::string fingerprint = {};

  // Of objects in S3.
  ContentHeaders content = {};
  std::string storage_class = {};
  Tags tags = {};
  std::string etag = {};        ///< of the source; empty: unknown
  std::uint32_t parts = 0;      ///< of the multipart upload that made it; 0: it was made in one piece
  std::string version_id = {};  ///< empty or "null": the store keeps no versions
  bool etag_is_md5 = true;      ///< false: of what the source encrypted, not of the content
  bool replica = false;         ///< a replicator wrote it
};

}  // namespace fermata::crr
