#pragma once

#include "model/settings.hpp"
#include "store/object_store.hpp"
#include "store/upload_ledger.hpp"

#include "s3/client.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace fermata::crr {

/// An S3 store as a target. Replicas carry their version at the source and a mark in their user metadata. Damage on the way is
/// found before the object can be seen: the target is told the source's MD5, or gets the body signed or over TLS; and parts
/// must make the source's ETag before they become an object.
class S3Store final : public ObjectStore {
 public:
  /// Objects of a source without ETags are uploaded in parts above this.
  static constexpr std::uint64_t kMultipartBytes = 64u << 20;
  /// Of an object of `size` bytes: 16 MiB, and whole MiB above 156 GiB, as S3 takes no more than 10,000 parts.
  static std::uint64_t part_bytes(std::uint64_t size);

  /// @param location  for messages, and what to do about buckets and storage classes.
  /// @param host  borrowed; outlives this.
  S3Store(const LocationSettings& location, std::shared_ptr<s3::Client> client, const sdk::Host& host);

  Result<Stored> put(const ObjectId& id, ObjectReader& source) override;
  Result<std::string> remove(const ObjectId& id, const std::function<Status()>& still_gone) override;
  Result<bool> has(const ObjectId& id, const ObjectMeta& meta) override;
  Result<TargetObject> visible(const ObjectId& id) override;
  Result<TargetObject> latest(const ObjectId& id) override;
  Result<std::vector<TargetObject>> history(const ObjectId& id) override;
  Status remove_version(const ObjectId& id, const std::string& source_version, const std::string& target_version) override;
  Status put_tags(const ObjectId& id, const std::string& source_version, const Tags& tags) override;
  Status check() override;
  Status clean() override;

 private:
  /// Makes the bucket if that is wanted and it is missing; looks once.
  Status ensure_bucket(const std::string& bucket, bool versioned);
  /// Lets a bucket keep versions that never did; one that was told to stop is left so.
  Status keep_versions(const std::string& bucket);
  Result<Stored> put_whole(const ObjectId& id, const s3::ObjectHeaders& headers, ObjectReader& source);
  s3::ObjectHeaders headers_of(const ObjectMeta& meta) const;
  enum class Look { kOn, kEnough };
  /// Shows the versions of the object at the target, newest first, until one is enough.
  Status look_back(const ObjectId& id, const std::function<Result<Look>(const s3::ListedVersion&)>& look);
  /// What this version is a replica of; kNothing: it is gone.
  Result<TargetObject> identify(const ObjectId& id, const s3::ListedVersion& version);
  /// The target's version that is a replica of `source_version`; empty: none is.
  Result<std::string> find(const ObjectId& id, const std::string& source_version);
  /// The status, naming the location; a bucket that went away is looked for again.
  Status explain(const Status& status, const ObjectId& id);

  const std::string location_;
  const bool create_buckets_;
  const std::map<std::string, std::string> storage_classes_;
  const std::shared_ptr<s3::Client> client_;
  const UploadLedger uploads_;
  std::mutex mutex_;               // guards buckets_
  std::set<std::string> buckets_;  // that are there
};

}  // namespace fermata::crr
