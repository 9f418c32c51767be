#pragma once

#include "store/object_store.hpp"
#include "store/upload_ledger.hpp"

#include "s3/client.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fermata::crr {

/// Copies one object in parts, some at a time, with the source's part sizes if it was uploaded in parts itself, so that both
/// have the same ETag. Nothing can be seen at the target before the parts' ETags are those of what was read, and together
/// make the source's. On failure the upload is aborted; one that a dead process of ours left of the same object is aborted first.
/// Threads: `run` once; it has up to kParallel threads while it runs, fewer where no more are to be had.
class MultipartCopy {
 public:
  static constexpr std::size_t kParallel = 4;

  /// All borrowed; outlive this. @param part_bytes  of an object that was not uploaded in parts.
  MultipartCopy(s3::Client& client, const UploadLedger& ledger, const ObjectId& id, const s3::ObjectHeaders& headers, ObjectReader& source,
                std::uint64_t part_bytes);

  Result<ObjectStore::Stored> run();

 private:
  struct Done {
    std::string md5;  ///< hex
    std::string etag;
    std::uint64_t bytes = 0;
  };

  Status abort_leftover();
  Status begin();
  void copy_all();
  /// Copies parts until there are no more, or one fails. Throws nothing: there may be nobody to catch it.
  void work() noexcept;
  std::optional<Part> next();
  Result<Done> copy(const Part& part);
  void fail(const Status& status);
  /// What the ETag must be: MD5 of the parts' MD5s, and their number.
  std::string expected_etag() const;
  Result<ObjectStore::Stored> complete();

  s3::Client& client_;
  const UploadLedger& ledger_;
  const ObjectId& id_;
  const s3::ObjectHeaders& headers_;
  ObjectReader& source_;
  const std::uint64_t part_bytes_;
  const std::uint32_t part_count_;
  std::string upload_id_;
  std::mutex mutex_;  // guards all below
  std::uint32_t begun_ = 0;
  std::vector<Done> done_;
  Status failure_;
};

}  // namespace fermata::crr
