#include "s3/client.hpp"

#include "s3/encode.hpp"
#include "s3/transport.hpp"
#include "s3/xml.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace fermata::s3 {

namespace {

constexpr std::chrono::seconds kPingPatience{5};
constexpr std::uint64_t kInMemory = 64 * 1024;  // bodies up to this are hashed before they are sent
constexpr std::string_view kUserPrefix = "x-amz-meta-";
constexpr std::chrono::minutes kAssembly{5};  // a server may take its time to put parts together before it answers

/// The headers that are carried over, and where each stands.
struct Carried {
  std::string_view name;
  std::string ObjectHeaders::*value;
};
constexpr std::array<Carried, 7> kCarried = {{{"content-type", &ObjectHeaders::content_type},
                                              {"content-encoding", &ObjectHeaders::content_encoding},
                                              {"content-disposition", &ObjectHeaders::content_disposition},
                                              {"content-language", &ObjectHeaders::content_language},
                                              {"cache-control", &ObjectHeaders::cache_control},
                                              {"expires", &ObjectHeaders::expires},
                                              {"x-amz-storage-class", &ObjectHeaders::storage_class}}};

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return text;
}

std::uint32_t number(std::string_view text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void take_header(ObjectInfo& info, const std::string& name, const std::string& value) {
  const auto carried = std::ranges::find(kCarried, name, &Carried::name);
  if (carried != kCarried.end()) {
    info.headers.*carried->value = value;
  } else if (name.starts_with(kUserPrefix)) {
    info.headers.user_metadata.emplace_back(name.substr(kUserPrefix.size()), value);
  } else if (name == "etag") {
    info.etag = unquoted(value);
  } else if (name == "x-amz-version-id") {
    info.version_id = value;
  } else if (name == "last-modified") {
    info.last_modified_ms = parse_http_date_s(value).value_or(0) * 1000;
  } else if (name == "x-amz-server-side-encryption") {
    info.etag_is_md5 = !value.starts_with("aws:");  // SSE-KMS and DSSE-KMS; SSE-S3 ("AES256") keeps the MD5
  } else if (name == "x-amz-server-side-encryption-customer-algorithm") {
    info.etag_is_md5 = false;
  } else if (name == "x-amz-mp-parts-count") {
    info.parts_count = number(value);
  } else if (name == "x-amz-tagging-count") {
    info.tagging_count = number(value);
  }
}

ObjectInfo info_of(const http::Response& response) {
  ObjectInfo info;
  info.size = response.content_length().value_or(0);
  for (const auto& [name, value] : response.headers()) take_header(info, lower_case(name), value);
  return info;
}

http::Headers headers_of(const ObjectHeaders& headers, const Tags& tags) {
  http::Headers lines;
  for (const Carried& one : kCarried) {
    if (const std::string& value = headers.*one.value; !value.empty()) lines.emplace_back(one.name, value);
  }
  for (const auto& [name, value] : headers.user_metadata) lines.emplace_back(std::string(kUserPrefix) + name, value);
  if (!tags.empty()) lines.emplace_back("x-amz-tagging", query_string({tags.begin(), tags.end()}));
  return lines;
}

Query version_query(const ObjectRef& object) { return object.version_id.empty() ? Query{} : Query{{"versionId", object.version_id}}; }

Query read_query(const ObjectRef& object, std::uint32_t part_number) {
  Query query = version_query(object);
  if (part_number > 0) query.emplace_back("partNumber", std::to_string(part_number));
  return query;
}

Call call_on(std::string_view operation, std::string_view method, const ObjectRef& object, Query query) {
  return {.operation = operation, .method = std::string(method), .bucket = object.bucket, .key = object.key, .query = std::move(query)};
}

Call read_on(std::string_view operation, std::string_view method, const ObjectRef& object, Query query) {
  Call call = call_on(operation, method, object, std::move(query));
  call.repeatable = true;
  return call;
}

/// Without a key, a call about an object would be one about its bucket.
Status check(const ObjectRef& object) {
  if (object.bucket.empty() || object.key.empty())
    return {Code::kInvalidArgument, "an object has a bucket and a key, and one of them is empty"};
  return {};
}

std::string header(const Reply& reply, std::string_view name) { return reply.response.header(name).value_or(""); }

Result<std::string> read_whole(http::BodySource& body, std::uint64_t size) {
  std::string content(static_cast<std::size_t>(size) + 1, '\0');  // one more, to see that there is no more
  std::size_t filled = 0;
  while (filled < content.size()) {
    const Result<std::size_t> got = body.read(std::span(content).subspan(filled));
    if (!got) return got.status();
    if (*got == 0) break;
    filled += *got;
  }
  if (filled != size)
    return Status{Code::kInvalidArgument, "the body is not of the " + std::to_string(size) + " bytes that were announced"};
  content.resize(filled);
  return content;
}

/// Gives `call` its body, in memory if it is small.
Status add_body(Call& call, http::BodySource& body, std::uint64_t size, std::string_view md5_hex) {
  if (!md5_hex.empty()) {
    const auto md5 = from_hex(md5_hex);
    if (!md5 || md5->size() != 16) return {Code::kInvalidArgument, "'" + std::string(md5_hex) + "' is no MD5"};
    call.headers.emplace_back("Content-MD5", to_base64(*md5));
    call.tells_md5 = true;
  }
  if (size > kInMemory) {
    call.body = &body;
    call.body_size = size;
    return {};
  }
  Result<std::string> content = read_whole(body, size);
  if (!content) return content.status();
  call.content = std::move(*content);
  return {};
}

}  // namespace

std::string_view ObjectInfo::user(std::string_view name) const {
  const auto found = std::ranges::find(headers.user_metadata, name, &std::pair<std::string, std::string>::first);
  return found == headers.user_metadata.end() ? std::string_view() : std::string_view(found->second);
}

class Client::Impl : public Transport {
 public:
  using Transport::Transport;

  /// Sends a call that answers with a document, and reads it.
  template <typename Parse>
  auto ask(const Call& call, Parse parse) -> decltype(parse(std::string_view())) {
    const Result<Reply> reply = send(call);
    if (!reply) return reply.status();
    auto parsed = parse(std::string_view(reply->document));
    if (!parsed) return unreadable(call, parsed.status());
    return parsed;
  }

  /// Every S3 store tells what it has taken; whatever does not has perhaps taken nothing.
  Result<std::string> etag_of(const Call& call, const Reply& reply) const {
    std::string etag = unquoted(header(reply, "ETag"));
    if (etag.empty()) return unreadable(call, {Code::kUnavailable, "the answer has no ETag, so this is no S3 store"});
    return etag;
  }

  /// A delete marker is no object, in whichever way a server says so.
  Result<Reply> read(const Call& call, bool* is_delete_marker) {
    Refusal refusal;
    Result<Reply> reply = send(call, &refusal);
    if (is_delete_marker != nullptr) *is_delete_marker = refusal.is_delete_marker;
    if (!reply && refusal.is_delete_marker) return Status{Code::kNotFound, reply.status().message()};
    return reply;
  }
};

Client::Client(std::shared_ptr<http::Client> http, std::shared_ptr<const CredentialsSource> credentials, Options options)
    : impl_(std::make_unique<Impl>(std::move(http), std::move(credentials), std::move(options))) {}

Client::~Client() = default;

Result<ObjectBody> Client::get(const ObjectRef& object, std::uint32_t part_number) {
  if (Status status = check(object); !status) return status;
  Call call = read_on("GetObject", "GET", object, read_query(object, part_number));
  call.streams = true;
  Result<Reply> reply = impl_->read(call, nullptr);
  if (!reply) return reply.status();
  return ObjectBody{info_of(reply->response), std::move(reply->response)};
}

Result<ObjectInfo> Client::head(const ObjectRef& object, std::uint32_t part_number, bool* is_delete_marker) {
  if (is_delete_marker != nullptr) *is_delete_marker = false;
  if (Status status = check(object); !status) return status;
  const Result<Reply> reply = impl_->read(read_on("HeadObject", "HEAD", object, read_query(object, part_number)), is_delete_marker);
  if (!reply) return reply.status();
  return info_of(reply->response);
}

Result<Tags> Client::get_tags(const ObjectRef& object) {
  if (Status status = check(object); !status) return status;
  Query query = version_query(object);
  query.emplace_back("tagging", "");
  const Call call = read_on("GetObjectTagging", "GET", object, std::move(query));
  Refusal refusal;
  const Result<Reply> reply = impl_->send(call, &refusal);
  if (!reply && refusal.document.code == "NoSuchTagSet") return Tags{};
  if (!reply) return reply.status();
  auto tags = parse_tags(reply->document);
  if (!tags) return impl_->unreadable(call, tags.status());
  return tags;
}

Status Client::put_tags(const ObjectRef& object, const Tags& tags) {
  if (Status status = check(object); !status) return status;
  Query query = version_query(object);
  query.emplace_back("tagging", "");
  Call call = call_on("PutObjectTagging", "PUT", object, std::move(query));
  call.content = write_tags(tags);
  return impl_->send(call).status();
}

Result<WriteResult> Client::put(const ObjectRef& object, const ObjectHeaders& headers, const Tags& tags, http::BodySource& body,
                                std::uint64_t size, std::string_view md5_hex) {
  if (Status status = check(object); !status) return status;
  Call call = call_on("PutObject", "PUT", object, {});
  call.headers = headers_of(headers, tags);
  if (Status status = add_body(call, body, size, md5_hex); !status) return status;
  const Result<Reply> reply = impl_->send(call);
  if (!reply) return reply.status();
  auto etag = impl_->etag_of(call, *reply);
  if (!etag) return etag.status();
  return WriteResult{std::move(*etag), header(*reply, "x-amz-version-id")};
}

Result<Client::Removed> Client::remove(const ObjectRef& object) {
  if (Status status = check(object); !status) return status;
  const Result<Reply> reply = impl_->send(call_on("DeleteObject", "DELETE", object, version_query(object)));
  if (!reply && reply.status().code() == Code::kNotFound) return Removed{};
  if (!reply) return reply.status();
  return Removed{header(*reply, "x-amz-version-id"), header(*reply, "x-amz-delete-marker") == "true"};
}

Result<std::string> Client::create_upload(const ObjectRef& object, const ObjectHeaders& headers, const Tags& tags) {
  if (Status status = check(object); !status) return status;
  Call call = call_on("CreateMultipartUpload", "POST", object, {{"uploads", ""}});
  call.headers = headers_of(headers, tags);
  return impl_->ask(call, parse_created_upload);
}

Result<std::string> Client::upload_part(const ObjectRef& object, std::string_view upload_id, std::uint32_t number, http::BodySource& body,
                                        std::uint64_t size, std::string_view md5_hex) {
  if (Status status = check(object); !status) return status;
  Call call = call_on("UploadPart", "PUT", object, {{"partNumber", std::to_string(number)}, {"uploadId", std::string(upload_id)}});
  if (Status status = add_body(call, body, size, md5_hex); !status) return status;
  const Result<Reply> reply = impl_->send(call);
  if (!reply) return reply.status();
  return impl_->etag_of(call, *reply);
}

Result<WriteResult> Client::complete_upload(const ObjectRef& object, std::string_view upload_id, std::span<const CompletedPart> parts) {
  if (Status status = check(object); !status) return status;
  Call call = call_on("CompleteMultipartUpload", "POST", object, {{"uploadId", std::string(upload_id)}});
  call.content = write_parts(parts);
  call.patience = kAssembly;
  const Result<Reply> reply = impl_->send(call);
  if (!reply) return reply.status();
  // A server answers 200 early, so that nobody loses patience, and may still fail.
  if (auto error = parse_error(reply->document)) return impl_->failure(call, {.status = 500, .document = std::move(*error)});
  Result<std::string> etag = parse_completed_upload(reply->document);
  if (!etag) return impl_->unreadable(call, etag.status());
  return WriteResult{std::move(*etag), header(*reply, "x-amz-version-id")};
}

Status Client::abort_upload(const ObjectRef& object, std::string_view upload_id) {
  if (Status status = check(object); !status) return status;
  return impl_->send(read_on("AbortMultipartUpload", "DELETE", object, {{"uploadId", std::string(upload_id)}})).status();
}

Result<std::vector<Upload>> Client::list_uploads(const std::string& bucket, const std::string& prefix) {
  const Query query{{"uploads", ""}, {"prefix", prefix}, {"encoding-type", "url"}, {"max-uploads", "1000"}};
  return impl_->ask(read_on("ListMultipartUploads", "GET", {bucket, ""}, query), parse_uploads);
}

Result<VersionPage> Client::list_versions(const std::string& bucket, const std::string& prefix, const std::string& key_marker,
                                          const std::string& version_id_marker, std::uint32_t max_keys) {
  Query query{{"versions", ""}, {"prefix", prefix}, {"encoding-type", "url"}, {"max-keys", std::to_string(max_keys)}};
  if (!key_marker.empty()) query.emplace_back("key-marker", key_marker);
  if (!version_id_marker.empty()) query.emplace_back("version-id-marker", version_id_marker);
  auto page = impl_->ask(read_on("ListObjectVersions", "GET", {bucket, ""}, std::move(query)), parse_versions);
  // A listing goes on after its markers, but VersityGW begins with what they name.
  const auto is_marker = [&](const ListedVersion& version) { return version.key == key_marker && version.version_id == version_id_marker; };
  if (page) std::erase_if(page->versions, is_marker);
  return page;
}

Result<std::vector<std::string>> Client::list_buckets() { return impl_->ask(read_on("ListBuckets", "GET", {}, {}), parse_buckets); }

Status Client::ping() {
  Call call = read_on("ListBuckets", "GET", {}, {});
  call.patience = kPingPatience;
  call.most_tries = 1;
  const auto buckets = impl_->ask(call, parse_buckets);
  return buckets || buckets.status().code() == Code::kPermissionDenied ? Status::ok() : buckets.status();
}

Status Client::head_bucket(const std::string& bucket) {
  Refusal refusal;
  const Status status = impl_->send(read_on("HeadBucket", "HEAD", {bucket, ""}, {}), &refusal).status();
  return refusal.status == 404 ? Status(Code::kNotFound, status.message()) : status;
}

Status Client::create_bucket(const std::string& bucket) {
  Call call = call_on("CreateBucket", "PUT", {bucket, ""}, {});
  if (impl_->options().region != "us-east-1") call.content = write_location(impl_->options().region);
  Refusal refusal;
  const Result<Reply> reply = impl_->send(call, &refusal);
  return !reply && refusal.document.code == "BucketAlreadyOwnedByYou" ? Status::ok() : reply.status();
}

Result<Client::Versioning> Client::versioning(const std::string& bucket) {
  return impl_->ask(read_on("GetBucketVersioning", "GET", {bucket, ""}, {{"versioning", ""}}), parse_versioning);
}

Status Client::enable_versioning(const std::string& bucket) {
  Call call = call_on("PutBucketVersioning", "PUT", {bucket, ""}, {{"versioning", ""}});
  call.content = write_versioning_enabled();
  return impl_->send(call).status();
}

void Client::interrupt() { impl_->interrupt(); }
void Client::resume() { impl_->resume(); }
const http::Endpoint& Client::endpoint() const { return impl_->endpoint(); }

}  // namespace fermata::s3
