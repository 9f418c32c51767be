#include "store/s3_store.hpp"

#include "store/reader_body.hpp"
#include "store/s3_access.hpp"
#include "store/s3_multipart.hpp"
#include "text/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

namespace fermata::crr {
namespace {

/// As rclone has it, so that it sees the file's own time: seconds with a fraction.
constexpr std::string_view kMtimeName = "mtime";
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kLargestWhole = 5ull << 30;  // that one PUT takes

std::string format_mtime(std::int64_t mtime_ns) {
  std::array<char, 40> text{};
  const std::int64_t fraction = ((mtime_ns % kNsPerSecond) + kNsPerSecond) % kNsPerSecond;
  const int size = std::snprintf(text.data(), text.size(), "%lld.%09lld", static_cast<long long>((mtime_ns - fraction) / kNsPerSecond),
                                 static_cast<long long>(fraction));
  return {text.data(), static_cast<std::size_t>(size)};
}

bool is_token(std::string_view name) {
  constexpr std::string_view kOthers = "!#$&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [kOthers](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kOthers.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// What an error of the target means for a record: rights are the place's matter, like credentials, and not this object's.
Code code_of(Code code) {
  switch (code) {
    case Code::kNotFound: return Code::kAborted;
    case Code::kPermissionDenied: return Code::kUnauthenticated;
    default: return code;
  }
}

bool keeps_versions(const ObjectMeta& meta) { return !meta.version_id.empty() && meta.version_id != "null"; }

}  // namespace

S3Store::S3Store(const LocationSettings& location, std::shared_ptr<s3::Client> client, const sdk::Host& host)
    : location_(location.name),
      create_buckets_(location.create_buckets),
      storage_classes_(location.storage_classes),
      client_(std::move(client)),
      uploads_(host, location.name) {}

std::uint64_t S3Store::part_bytes(std::uint64_t size) {
  constexpr std::uint64_t kUsual = 16u << 20;
  constexpr std::uint64_t kMaxParts = 10'000;
  constexpr std::uint64_t kMiB = 1u << 20;
  const std::uint64_t least = (size + kMaxParts - 1) / kMaxParts;
  return std::max(kUsual, (least + kMiB - 1) / kMiB * kMiB);
}

Result<ObjectStore::Stored> S3Store::put(const ObjectId& id, ObjectReader& source) {
  const ObjectMeta& meta = source.meta();
  if (auto status = ensure_bucket(id.bucket, keeps_versions(meta)); !status) return explain(status, id);
  const auto headers = headers_of(meta);
  const bool in_parts = meta.parts > 0 || (meta.etag.empty() && meta.size > kMultipartBytes);
  auto stored =
      in_parts ? MultipartCopy(*client_, uploads_, id, headers, source, part_bytes(meta.size)).run() : put_whole(id, headers, source);
  // Better with another ETag than not at all.
  if (stored.status().code() == Code::kUnimplemented && meta.size <= kLargestWhole) stored = put_whole(id, headers, source);
  if (!stored) return explain(stored.status(), id);
  return stored;
}

Result<ObjectStore::Stored> S3Store::put_whole(const ObjectId& id, const s3::ObjectHeaders& headers, ObjectReader& source) {
  const ObjectMeta& meta = source.meta();
  ReaderBody body(source);
  auto written =
      client_->put({id.bucket, id.key}, headers, meta.tags, body, meta.size, meta.parts > 0 ? std::string_view() : content_md5(meta));
  if (!written) return written.status();
  return Stored{meta.size, std::move(written->etag)};
}

s3::ObjectHeaders S3Store::headers_of(const ObjectMeta& meta) const {
  s3::ObjectHeaders headers;
  headers.content_type = meta.content.type;
  headers.content_encoding = meta.content.encoding;
  headers.content_disposition = meta.content.disposition;
  headers.content_language = meta.content.language;
  headers.cache_control = meta.content.cache_control;
  headers.expires = meta.content.expires;
  if (const auto mapped = storage_classes_.find(meta.storage_class.empty() ? "STANDARD" : meta.storage_class);
      mapped != storage_classes_.end())
    headers.storage_class = mapped->second;
  for (const auto& [name, value] : meta.user_metadata)
    headers.user_metadata.emplace_back(is_token(name) ? lower(name) : text::encode_uri_component(name),
                                       is_header_value(value) ? value : text::encode_uri_component(value));
  if (meta.etag.empty()) headers.user_metadata.emplace_back(kMtimeName, format_mtime(meta.mtime_ns));
  headers.user_metadata.emplace_back(kReplicaMark, kReplicaStatus);
  if (!meta.version_id.empty()) headers.user_metadata.emplace_back(kVersionMark, meta.version_id);
  return headers;
}

Status S3Store::ensure_bucket(const std::string& bucket, bool versioned) {
  {
    const std::lock_guard lock(mutex_);
    if (buckets_.contains(bucket)) return Status::ok();
  }
  auto status = client_->head_bucket(bucket);
  const bool missing = status.code() == Code::kNotFound;
  if (missing && !create_buckets_)
    return {Code::kFailedPrecondition, "bucket " + bucket + " is missing at " + client_->endpoint().text() +
                                           ": make it, or set create_buckets of the location to true"};
  if (missing) status = client_->create_bucket(bucket);
  if (status && versioned && create_buckets_) status = keep_versions(bucket);
  if (!status) return status;
  const std::lock_guard lock(mutex_);
  buckets_.insert(bucket);
  return status;
}

// Also of a bucket that is there: whoever made it may have been cut off before it came to this.
Status S3Store::keep_versions(const std::string& bucket) {
  const auto versioning = client_->versioning(bucket);
  if (!versioning) return versioning.status();
  return *versioning == s3::Client::Versioning::kOff ? client_->enable_versioning(bucket) : Status::ok();
}

Result<std::string> S3Store::remove(const ObjectId& id, const std::function<Status()>& still_gone) {
  auto there = latest(id);
  if (!there) return there.status();
  if (there->kind != TargetObject::Kind::kObject) return there->target_version;
  if (auto status = still_gone(); !status) return status;
  auto removed = client_->remove({id.bucket, id.key});
  if (!removed) return explain(removed.status(), id);
  return removed->delete_marker ? removed->version_id : std::string();
}

Result<bool> S3Store::has(const ObjectId& id, const ObjectMeta& meta) {
  const auto info = client_->head({id.bucket, id.key});
  if (!info && info.status().code() == Code::kNotFound) return false;
  if (!info) return explain(info.status(), id);
  if (info->size != meta.size) return false;
  if (meta.etag.empty()) return info->user(kMtimeName) == format_mtime(meta.mtime_ns);
  return content_md5(meta).empty() || info->etag == meta.etag;
}

Result<TargetObject> S3Store::visible(const ObjectId& id) {
  bool is_delete_marker = false;
  const auto info = client_->head({id.bucket, id.key}, 0, &is_delete_marker);
  if (info) return TargetObject{TargetObject::Kind::kObject, std::string(info->user(kVersionMark)), info->version_id};
  const Code code = info.status().code();
  if (code != Code::kNotFound && code != Code::kFailedPrecondition) return explain(info.status(), id);
  return TargetObject{is_delete_marker ? TargetObject::Kind::kDeleteMarker : TargetObject::Kind::kNothing};
}

Result<TargetObject> S3Store::latest(const ObjectId& id) {
  auto seen = visible(id);
  if (!seen || seen->kind == TargetObject::Kind::kObject) return seen;
  // Not every server tells of a delete marker in answer to a HEAD, and none tells its version.
  TargetObject found;
  const auto status = look_back(id, [&found](const s3::ListedVersion& version) {
    found.kind = TargetObject::Kind::kDeleteMarker;  // whatever has versions and cannot be read is hidden by one
    if (version.is_delete_marker) found.target_version = version.version_id;
    return version.is_delete_marker ? Look::kEnough : Look::kOn;
  });
  if (!status) return status;
  return found;
}

Status S3Store::look_back(const ObjectId& id, const std::function<Result<Look>(const s3::ListedVersion&)>& look) {
  s3::VersionPage page;
  do {
    auto next = client_->list_versions(id.bucket, id.key, page.next_key_marker, page.next_version_id_marker);
    if (!next && next.status().code() == Code::kFailedPrecondition) return Status::ok();  // no bucket yet
    if (!next) return explain(next.status(), id);
    page = std::move(*next);
    for (const auto& version : page.versions) {
      if (version.key != id.key) return Status::ok();  // the versions of the key itself come first
      const auto looked = look(version);
      if (!looked) return explain(looked.status(), id);
      if (*looked == Look::kEnough) return Status::ok();
    }
  } while (page.truncated);
  return Status::ok();
}

Result<TargetObject> S3Store::identify(const ObjectId& id, const s3::ListedVersion& version) {
  if (version.is_delete_marker) return TargetObject{TargetObject::Kind::kDeleteMarker, {}, version.version_id};
  const auto info = client_->head({id.bucket, id.key, version.version_id});
  if (!info && info.status().code() == Code::kNotFound) return TargetObject{};  // removed since
  if (!info) return info.status();
  return TargetObject{TargetObject::Kind::kObject, std::string(info->user(kVersionMark)), version.version_id};
}

Result<std::vector<TargetObject>> S3Store::history(const ObjectId& id) {
  std::vector<TargetObject> found;
  const auto status = look_back(id, [this, &id, &found](const s3::ListedVersion& version) -> Result<Look> {
    auto object = identify(id, version);
    if (!object) return object.status();
    if (object->kind != TargetObject::Kind::kNothing) found.push_back(std::move(*object));
    return Look::kOn;
  });
  if (!status) return status;
  return found;
}

Result<std::string> S3Store::find(const ObjectId& id, const std::string& source_version) {
  std::string found;
  const auto status = look_back(id, [this, &id, &source_version, &found](const s3::ListedVersion& version) -> Result<Look> {
    auto object = identify(id, version);
    if (!object) return object.status();
    if (object->kind != TargetObject::Kind::kObject || object->source_version != source_version) return Look::kOn;
    found = std::move(object->target_version);
    return Look::kEnough;
  });
  if (!status) return status;
  return found;
}

Status S3Store::remove_version(const ObjectId& id, const std::string& source_version, const std::string& target_version) {
  std::string version = target_version;
  if (version.empty()) {
    auto found = find(id, source_version);
    if (!found) return found.status();
    version = std::move(*found);
  }
  if (version.empty()) return Status::ok();
  const auto removed = client_->remove({id.bucket, id.key, version});
  if (removed) return Status::ok();
  const auto status = explain(removed.status(), id);
  // One that is locked there is refused in the same words as where a right is missing, and must not hold back later versions.
  return removed.status().code() == Code::kPermissionDenied ? Status(Code::kPermissionDenied, status.message()) : status;
}

Status S3Store::put_tags(const ObjectId& id, const std::string& source_version, const Tags& tags) {
  const auto version = find(id, source_version);
  if (!version) return version.status();
  if (version->empty()) return {Code::kNotFound, "no replica of version " + source_version};
  const auto status = client_->put_tags({id.bucket, id.key, *version}, tags);
  return status ? status : explain(status, id);
}

Status S3Store::check() {
  const auto there = client_->ping();
  return there ? there : Status(Code::kUnavailable, "location " + location_ + ": " + there.message());
}

/// What was left of one object's upload goes with the next upload of the same; others' uploads are not ours to abort.
Status S3Store::clean() { return Status::ok(); }

Status S3Store::explain(const Status& status, const ObjectId& id) {
  if (status.code() == Code::kFailedPrecondition) {
    const std::lock_guard lock(mutex_);
    buckets_.erase(id.bucket);
  }
  return {code_of(status.code()), id.path() + " to location " + location_ + ": " + status.message()};
}

}  // namespace fermata::crr
