#pragma once
// AWS "Signature Version 4 signing process", in headers. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

#include "s3/credentials.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::s3 {

/// In place of a hash: the body is not signed.
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
/// In place of a hash: each chunk of the body bears a signature of its own.
constexpr std::string_view kSignedChunks = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/// 32 bytes. Throws std::runtime_error if OpenSSL fails, which only a lack of memory makes it do.
std::string sha256(std::string_view data);
std::string hmac_sha256(std::string_view key, std::string_view data);

/// What is signed of a request.
struct Signable {
  std::string_view method;
  std::string_view path;                                          ///< as it is sent, percent-encoded once
  std::string_view query = {};                                    ///< as it is sent, sorted; empty: none
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< all of them are signed; with Host
  std::string_view payload_hash = {};                             ///< hexadecimal SHA-256 of the body, or one of the words above
};

/// A key derived from a secret for a day, a region and a service. Immutable.
struct SigningKey {
  std::string key;
  std::string scope;  ///< "20130524/us-east-1/s3/aws4_request"
};

struct Signature {
  std::string text;           ///< 64 hexadecimal digits
  std::string authorization;  ///< the value of that header
  std::shared_ptr<const SigningKey> key;
};

/// "GET\n/\n..."; the canonical request, and in `signed_headers` the list of names that goes with it.
std::string canonical_request(const Signable& request, std::string& signed_headers);

/// Signs for one region and service. The derived key is made once a day, and when the credentials change. Threads: [any].
class Signer {
 public:
  explicit Signer(std::string region, std::string service = "s3") : region_(std::move(region)), service_(std::move(service)) {}

  /// @param date  "20130524T000000Z", as in the header x-amz-date.
  Signature sign(const Signable& request, const Credentials& credentials, std::string_view date);

 private:
  std::shared_ptr<const SigningKey> key_for(const Credentials& credentials, std::string_view day);

  const std::string region_;
  const std::string service_;
  std::mutex mutex_;
  std::shared_ptr<const SigningKey> key_;  // guarded by mutex_, as what it was made of:
  std::string key_secret_;
  std::string key_day_;
};

/// The signatures of a body's chunks, each of which covers the one before it. Threads: one at a time.
class ChunkSigner {
 public:
  ChunkSigner(Signature seed, std::string date) : seed_(std::move(seed)), date_(std::move(date)), previous_(seed_.text) {}

  /// 64 hexadecimal digits; the last chunk is the empty one.
  std::string sign(std::string_view chunk);
  void restart() { previous_ = seed_.text; }

 private:
  const Signature seed_;
  const std::string date_;
  std::string previous_;
};

}  // namespace fermata::s3
