#pragma once

#include <fermata/sdk/status.hpp>

#include <cstddef>
#include <cstdint>
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

struct ObjectId {
  std::string bucket;
  std::string key;

  /// "<bucket>/<key>", as operators write it.
  std::string path() const { return bucket + "/" + key; }
  bool operator==(const ObjectId&) const = default;
};

/// Splits "<bucket>/<key>". kInvalidArgument if either is empty.
Result<ObjectId> parse_object_path(std::string_view path);

/// What is carried over beside the bytes.
struct ObjectMeta {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t mode = 0;  ///< permission bits
  /// Names without the "user." of extended attributes; values are bytes.
  std::vector<std::pair<std::string, std::string>> user_metadata = {};
  /// Differs whenever content or metadata differ; only its equality means something.
  std::string fingerprint = {};
};

}  // namespace fermata::crr
