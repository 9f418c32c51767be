#include "journal/version_listing.hpp"

namespace fermata::crr {

Result<std::vector<std::string>> S3VersionListing::buckets() { return client_->list_buckets(); }

Result<s3::VersionPage> S3VersionListing::page(const std::string& bucket, const std::string& key_marker,
                                               const std::string& version_id_marker) {
  auto page = client_->list_versions(bucket, {}, key_marker, version_id_marker);
  if (page || page.status().code() != Code::kFailedPrecondition) return page;
  // The same code stands for a missing bucket and for a store that cannot list versions.
  const auto there = client_->head_bucket(bucket);
  return there.code() == Code::kNotFound ? Status(Code::kNotFound, page.status().message()) : page;
}

}  // namespace fermata::crr
