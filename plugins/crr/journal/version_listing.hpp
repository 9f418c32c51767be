#pragma once

#include "model/object.hpp"

#include "s3/client.hpp"

#include <memory>
#include <string>
#include <vector>

namespace fermata::crr {

/// All versions of all objects of a store, page by page. Threads: one at a time; methods block for I/O.
class VersionListing {
 public:
  virtual ~VersionListing() = default;
  virtual Result<std::vector<std::string>> buckets() = 0;
  /// The versions after the markers (both empty: from the first). kNotFound: there is no such bucket.
  virtual Result<s3::VersionPage> page(const std::string& bucket, const std::string& key_marker, const std::string& version_id_marker) = 0;
};

class S3VersionListing final : public VersionListing {
 public:
  explicit S3VersionListing(std::shared_ptr<s3::Client> client) : client_(std::move(client)) {}

  Result<std::vector<std::string>> buckets() override;
  Result<s3::VersionPage> page(const std::string& bucket, const std::string& key_marker, const std::string& version_id_marker) override;

 private:
  const std::shared_ptr<s3::Client> client_;
};

}  // namespace fermata::crr
