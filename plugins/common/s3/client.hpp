#pragma once

#include "http/client.hpp"
#include "s3/credentials.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::s3 {

using sdk::Code;
using sdk::Result;
using sdk::Status;

struct Options {
  std::string region = "us-east-1";
  bool path_style = true;  ///< false: the bucket is part of the host name
  /// How bodies are signed that are too large to be hashed beforehand (over 64 KiB).
  enum class Payload {
    kAuto,      ///< unsigned over TLS, or if a Content-MD5 goes along, which is signed; else in chunks
    kSigned,    ///< STREAMING-AWS4-HMAC-SHA256-PAYLOAD
    kUnsigned,  ///< UNSIGNED-PAYLOAD
  };
  Payload payload = Payload::kAuto;
};

struct ObjectRef {
  std::string bucket;
  std::string key;
  std::string version_id = {};  ///< empty: the current one
};

/// The headers of an object that are carried over as they are, and its user metadata.
struct ObjectHeaders {
  std::string content_type = {};
  std::string content_encoding = {};
  std::string content_disposition = {};
  std::string content_language = {};
  std::string cache_control = {};
  std::string expires = {};
  std::string storage_class = {};  ///< empty: the server's default
  /// Names in lower case without "x-amz-meta-"; values as on the wire: what is not ASCII goes out in UTF-8, and comes back from
  /// AWS and MinIO in the form of RFC 2047, "=?UTF-8?q?...?=".
  std::vector<std::pair<std::string, std::string>> user_metadata = {};
};

using Tags = std::map<std::string, std::string>;

/// What HEAD or GET tell.
struct ObjectInfo {
  std::uint64_t size = 0;  ///< of the part, if one was asked for
  std::string etag = {};   ///< without quotes
  std::string version_id = {};
  std::int64_t last_modified_ms = 0;
  std::uint32_t parts_count = 0;    ///< 0: not told
  std::uint32_t tagging_count = 0;  ///< 0: no tags, or not told
  bool etag_is_md5 = true;          ///< false: the server encrypts it with a key of its own, and the ETag is something else
  ObjectHeaders headers = {};

  /// The value of user metadata `name`, or "".
  std::string_view user(std::string_view name) const;
};

/// An object being read. Threads: one at a time.
struct ObjectBody {
  ObjectInfo info;
  http::Response response;  ///< at the first byte of the body
};

struct WriteResult {
  std::string etag = {};  ///< without quotes
  std::string version_id = {};
};

struct ListedVersion {
  std::string key;
  std::string version_id;  ///< "null" in a bucket without versions
  bool is_latest = false;
  bool is_delete_marker = false;
  std::int64_t last_modified_ms = 0;
  std::string etag = {};
  std::uint64_t size = 0;
};

struct VersionPage {
  std::vector<ListedVersion> versions;  ///< by key, the newest of a key first
  bool truncated = false;
  std::string next_key_marker = {};
  std::string next_version_id_marker = {};
};

struct Upload {
  std::string key;
  std::string upload_id;
  std::int64_t initiated_ms = 0;
};

struct CompletedPart {
  std::uint32_t number;
  std::string etag;
};

/// The calls of the S3 API that replication needs, signed with SigV4 (AWS "Signature Version 4 signing process").
///
/// Errors: the codes of a Status say what to do about it:
///   kNotFound            NoSuchKey, NoSuchVersion, a bare 404 of an object: not there, which is not an error
///   kFailedPrecondition  NoSuchBucket, a bare 404 in a bucket's place, MethodNotAllowed, InvalidBucketState...: give up until somebody
///   acts kInvalidArgument     the request can never work: give up kAborted             this try was damaged (BadDigest, IncompleteBody,
///   409 OperationAborted): try again kResourceExhausted   SlowDown, 503, 429: try again later; the message tells Retry-After kUnavailable
///   not reached, cut off, timed out, 500, 502, 504: the place is down kUnauthenticated     InvalidAccessKeyId, SignatureDoesNotMatch,
///   ExpiredToken...: credentials kPermissionDenied    AccessDenied
/// Messages name endpoint, operation, bucket/key, S3's code, request id and resource, and never a secret.
///
/// Each call blocks for I/O. GETs, HEADs, listings and aborts are tried up to 3 times where the failure is a moment's; between
/// tries lie 100 ms to 0.5 s, or what Retry-After asks for, at most 10 s. Writes are sent once, as they may have been done.
/// Clock skew: a RequestTimeTooSkewed, or a bare 403 to a HEAD while the clocks are over 5 minutes apart, is answered by
/// signing with the server's time from then on, and one more try, for writes as well if their body can go back.
/// A body of up to 64 KiB is read into memory, and signed with its hash; a larger one as Options::payload says.
///
/// Threads: [any]. Ownership: shares the http::Client.
class Client {
 public:
  Client(std::shared_ptr<http::Client> http, std::shared_ptr<const CredentialsSource> credentials, Options options);
  ~Client();

  /// @param part_number  0: the whole object. A delete marker is kNotFound.
  Result<ObjectBody> get(const ObjectRef& object, std::uint32_t part_number = 0);
  /// A delete marker is kNotFound, and `is_delete_marker` (may be null) is set true.
  Result<ObjectInfo> head(const ObjectRef& object, std::uint32_t part_number = 0, bool* is_delete_marker = nullptr);
  Result<Tags> get_tags(const ObjectRef& object);
  Status put_tags(const ObjectRef& object, const Tags& tags);

  /// @param size  exact. @param md5_hex  of the body if it is known beforehand, else empty; sent as Content-MD5, so that the
  /// server refuses a damaged body. @param tags  empty: none.
  Result<WriteResult> put(const ObjectRef& object, const ObjectHeaders& headers, const Tags& tags, http::BodySource& body,
                          std::uint64_t size, std::string_view md5_hex);

  struct Removed {
    std::string version_id = {};  ///< of the delete marker that was made, or of the version removed
    bool delete_marker = false;
  };
  /// An object that is not there is not an error.
  Result<Removed> remove(const ObjectRef& object);

  Result<std::string> create_upload(const ObjectRef& object, const ObjectHeaders& headers, const Tags& tags);
  Result<std::string> upload_part(const ObjectRef& object, std::string_view upload_id, std::uint32_t number, http::BodySource& body,
                                  std::uint64_t size, std::string_view md5_hex);  ///< @return its ETag, without quotes
  Result<WriteResult> complete_upload(const ObjectRef& object, std::string_view upload_id, std::span<const CompletedPart> parts);
  Status abort_upload(const ObjectRef& object, std::string_view upload_id);
  /// Unfinished uploads of keys that begin with `prefix`; the first 1,000.
  Result<std::vector<Upload>> list_uploads(const std::string& bucket, const std::string& prefix);

  Result<VersionPage> list_versions(const std::string& bucket, const std::string& prefix, const std::string& key_marker,
                                    const std::string& version_id_marker, std::uint32_t max_keys = 1'000);
  Result<std::vector<std::string>> list_buckets();
  /// Ok if the server is there and knows us, though it may let us list nothing. Asks once, at most 5 s after connecting.
  Status ping();
  /// Ok if the bucket is there and we may use it; kNotFound if it is not there.
  Status head_bucket(const std::string& bucket);
  /// Makes it; one that is ours already is not an error.
  Status create_bucket(const std::string& bucket);

  enum class Versioning { kOff, kEnabled, kSuspended };
  Result<Versioning> versioning(const std::string& bucket);
  Status enable_versioning(const std::string& bucket);

  /// Ends all calls that run, here and in whoever shares the http::Client, with kUnavailable; refuses new ones until `resume`.
  void interrupt();
  void resume();
  const http::Endpoint& endpoint() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::s3
