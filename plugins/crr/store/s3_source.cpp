#include "store/s3_source.hpp"

#include "store/s3_access.hpp"

#include <utility>

namespace fermata::crr {
namespace {

class S3Reader final : public ObjectReader {
 public:
  S3Reader(std::shared_ptr<s3::Client> client, const Cancellation& cancellation, s3::ObjectRef object, ObjectMeta meta,
           http::Response response)
      : client_(std::move(client)),
        cancellation_(cancellation),
        object_(std::move(object)),
        meta_(std::move(meta)),
        response_(std::move(response)) {}

  const ObjectMeta& meta() const override { return meta_; }

  Result<std::size_t> read(std::span<char> buffer) override {
    if (auto status = cancellation_.check(); !status) return status;
    return response_.read(buffer);
  }

  /// What one GET answers with is one object: it cannot change under way.
  Status check_unchanged() override { return Status::ok(); }

  Result<std::unique_ptr<ObjectReader>> open_part(const Part& part) override {
    auto body = client_->get(object_, part.number);
    // As MinIO answers where the numbers of an upload's parts have gaps, and Swift in any case.
    const bool unknown_part =
        !body && (body.status().code() == Code::kInvalidArgument || body.status().code() == Code::kFailedPrecondition);
    if (unknown_part) return Status(Code::kUnimplemented, "the source does not give its parts one by one: " + body.status().message());
    if (!body) return body.status();
    // An object without versions may have been replaced since: parts of two would make a third.
    if (body->info.etag != meta_.etag)
      return Status(Code::kAborted, "source " + object_.bucket + "/" + object_.key + " changed while it was copied");
    auto meta = to_meta(body->info);
    return std::unique_ptr<ObjectReader>(
        std::make_unique<S3Reader>(client_, cancellation_, object_, std::move(meta), std::move(body->response)));
  }

 private:
  const std::shared_ptr<s3::Client> client_;
  const Cancellation& cancellation_;
  const s3::ObjectRef object_;
  const ObjectMeta meta_;
  http::Response response_;
};

}  // namespace

Result<std::unique_ptr<ObjectReader>> S3Source::open(const ObjectId& id, const std::string& version_id) {
  s3::ObjectRef object{id.bucket, id.key, version_id};
  auto body = client_->get(object);
  if (!body) return body.status();
  ObjectMeta meta = to_meta(body->info);
  if (body->info.tagging_count > 0) {
    object.version_id = meta.version_id;
    auto tags = client_->get_tags(object);
    if (!tags) return tags.status();
    meta.tags = std::move(*tags);
  }
  object.version_id = meta.version_id;
  return std::unique_ptr<ObjectReader>(
      std::make_unique<S3Reader>(client_, cancellation_, std::move(object), std::move(meta), std::move(body->response)));
}

Result<ObjectMeta> S3Source::stat(const ObjectId& id, const std::string& version_id) {
  const auto info = client_->head({id.bucket, id.key, version_id});
  if (!info) return info.status();
  return to_meta(*info);
}

Result<Tags> S3Source::tags(const ObjectId& id, const std::string& version_id) {
  return client_->get_tags({id.bucket, id.key, version_id});
}

Result<std::vector<SourceVersion>> S3Source::versions(const ObjectId& id, const std::string& until) {
  std::vector<SourceVersion> found;
  s3::VersionPage page;
  do {
    auto next = client_->list_versions(id.bucket, id.key, page.next_key_marker, page.next_version_id_marker);
    if (!next) return next.status();
    page = std::move(*next);
    for (const auto& version : page.versions) {
      if (version.key != id.key) return found;  // the versions of the key itself come first
      found.push_back({version.version_id, version.is_delete_marker});
      if (version.version_id == until) return found;
      if (found.size() > kMaxVersions)
        return Status(Code::kFailedPrecondition, "source " + id.path() + " has more than " + std::to_string(kMaxVersions) +
                                                     " versions that are not replicated: remove some of them");
    }
  } while (page.truncated);
  return found;
}

}  // namespace fermata::crr
