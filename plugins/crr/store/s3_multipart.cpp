#include "store/s3_multipart.hpp"

#include "store/checksum.hpp"
#include "store/reader_body.hpp"
#include "store/s3_access.hpp"

#include "s3/encode.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>

namespace fermata::crr {
namespace {

std::uint32_t count_parts(const ObjectMeta& meta, std::uint64_t part_bytes) {
  if (meta.parts > 0) return meta.parts;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, (meta.size + part_bytes - 1) / part_bytes));
}

}  // namespace

MultipartCopy::MultipartCopy(s3::Client& client, const UploadLedger& ledger, const ObjectId& id, const s3::ObjectHeaders& headers,
                             ObjectReader& source, std::uint64_t part_bytes)
    : client_(client),
      ledger_(ledger),
      id_(id),
      headers_(headers),
      source_(source),
      part_bytes_(part_bytes),
      part_count_(count_parts(source.meta(), part_bytes)),
      done_(part_count_) {}

Result<ObjectStore::Stored> MultipartCopy::run() {
  if (auto status = abort_leftover(); !status) return status;
  if (auto status = begin(); !status) return status;
  copy_all();
  auto stored = complete();
  // Should one of these fail as well, the next try finds the upload in the ledger.
  if (stored || client_.abort_upload({id_.bucket, id_.key}, upload_id_)) (void)ledger_.ended(id_);
  return stored;
}

Status MultipartCopy::abort_leftover() {
  const auto left = ledger_.open_upload(id_);
  if (!left) return left.status();
  if (left->empty()) return Status::ok();
  auto status = client_.abort_upload({id_.bucket, id_.key}, *left);
  return status.code() == Code::kNotFound ? Status::ok() : status;
}

Status MultipartCopy::begin() {
  auto upload = client_.create_upload({id_.bucket, id_.key}, headers_, source_.meta().tags);
  if (!upload) return upload.status();
  upload_id_ = std::move(*upload);
  auto status = ledger_.begun(id_, upload_id_);
  if (!status) (void)client_.abort_upload({id_.bucket, id_.key}, upload_id_);  // it has no parts yet, and costs nothing if it stays
  return status;
}

void MultipartCopy::copy_all() {
  std::vector<std::jthread> helpers;
  const std::size_t others = std::min<std::size_t>(kParallel, part_count_) - 1;
  try {
    for (std::size_t i = 0; i < others; ++i) helpers.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // Those that there are do the work.
  }
  work();
}

void MultipartCopy::work() noexcept try {
  while (const auto part = next()) {
    auto done = copy(*part);
    if (!done) return fail(done.status());
    const std::lock_guard lock(mutex_);
    done_[part->number - 1] = std::move(*done);
  }
} catch (const std::exception& error) {
  fail({Code::kAborted, error.what()});
}

std::optional<Part> MultipartCopy::next() {
  const std::lock_guard lock(mutex_);
  if (!failure_ || begun_ == part_count_) return std::nullopt;
  const std::uint64_t offset = begun_ * part_bytes_;
  const std::uint64_t size = source_.meta().size;
  return Part{++begun_, offset, offset < size ? std::min(part_bytes_, size - offset) : 0};
}

Result<MultipartCopy::Done> MultipartCopy::copy(const Part& part) {
  auto reader = source_.open_part(part);
  if (!reader) return reader.status();
  Checksum checksum;
  ReaderBody body(**reader, &checksum);
  const std::uint64_t size = (*reader)->meta().size;
  auto etag = client_.upload_part({id_.bucket, id_.key}, upload_id_, part.number, body, size, {});
  if (!etag) return etag.status();
  return Done{checksum.finish(), std::move(*etag), size};
}

void MultipartCopy::fail(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (failure_) failure_ = status;
}

std::string MultipartCopy::expected_etag() const {
  Checksum checksum;
  for (const auto& part : done_) checksum.update(s3::from_hex(part.md5).value());
  return checksum.finish() + "-" + std::to_string(part_count_);
}

Result<ObjectStore::Stored> MultipartCopy::complete() {
  if (!failure_) return failure_;
  const ObjectMeta& meta = source_.meta();
  if (meta.parts > 0 && !content_md5(meta).empty() && expected_etag() != meta.etag)
    return Status(Code::kAborted, "the parts that were read do not make the source's ETag: they were damaged on the way");
  if (auto status = source_.check_unchanged(); !status) return status;
  std::vector<s3::CompletedPart> parts;
  ObjectStore::Stored stored;
  for (const auto& part : done_) {
    parts.push_back({static_cast<std::uint32_t>(parts.size() + 1), part.etag});
    stored.bytes += part.bytes;
  }
  auto written = client_.complete_upload({id_.bucket, id_.key}, upload_id_, parts);
  if (!written) return written.status();
  stored.etag = std::move(written->etag);
  return stored;
}

}  // namespace fermata::crr
