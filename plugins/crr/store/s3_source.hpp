#pragma once

#include "store/object_store.hpp"
#include "work/cancellation.hpp"

#include "s3/client.hpp"

#include <memory>

namespace fermata::crr {

/// Objects in an S3 store.
class S3Source final : public ObjectSource {
 public:
  /// @param cancellation  ends reads; borrowed; outlives this and its readers.
  S3Source(std::shared_ptr<s3::Client> client, const Cancellation& cancellation)
      : client_(std::move(client)), cancellation_(cancellation) {}

  Result<std::unique_ptr<ObjectReader>> open(const ObjectId& id, const std::string& version_id) override;
  Result<ObjectMeta> stat(const ObjectId& id, const std::string& version_id) override;
  Result<Tags> tags(const ObjectId& id, const std::string& version_id) override;
  Result<std::vector<SourceVersion>> versions(const ObjectId& id, const std::string& until) override;

 private:
  const std::shared_ptr<s3::Client> client_;
  const Cancellation& cancellation_;
};

}  // namespace fermata::crr
