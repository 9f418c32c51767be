#pragma once

#include "http/client.hpp"
#include "s3/client.hpp"
#include "s3/encode.hpp"
#include "s3/errors.hpp"
#include "s3/sigv4.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::s3 {

/// One call of the S3 API, not signed yet.
struct Call {
  std::string_view operation;  ///< "PutObject", for messages
  std::string method;
  std::string bucket = {};  ///< empty: about the account
  std::string key = {};     ///< empty: about the bucket
  Query query = {};
  http::Headers headers = {};             ///< but those of the signature
  std::string content = {};               ///< a body in memory, unless there is `body`
  http::BodySource* body = nullptr;       ///< a body that is too large for memory; borrowed
  std::uint64_t body_size = 0;            ///< of `body`
  bool tells_md5 = false;                 ///< there is a Content-MD5
  bool repeatable = false;                ///< doing it twice does no harm
  int most_tries = 3;                     ///< if it is repeatable
  bool streams = false;                   ///< the answer's body is for the caller to read
  std::chrono::milliseconds patience{0};  ///< for the first byte of the answer; 0: the HTTP client's
};

struct Reply {
  http::Response response;
  std::string document = {};  ///< the answer's body, unless the call `streams`; at most 16 MiB
};

/// What a server refused, beside the Status.
struct Refusal {
  int status = 0;  ///< of HTTP; 0: no answer
  ErrorDocument document = {};
  bool is_delete_marker = false;
  std::optional<std::int64_t> server_time_s = {};  ///< its Date
  std::chrono::seconds retry_after{0};             ///< 0: not told
};

/// Signs and sends calls, tells what refusals mean, tries again what is worth it, and follows the server's clock.
///
/// Threads: [any].
class Transport {
 public:
  Transport(std::shared_ptr<http::Client> http, std::shared_ptr<const CredentialsSource> credentials, Options options);

  /// An answer of 2xx, or what went wrong, with `refusal` (may be null) telling more.
  Result<Reply> send(const Call& call, Refusal* refusal = nullptr);

  /// What an <Error> means that came with an answer of `status`.
  Status failure(const Call& call, const Refusal& refusal) const;

  /// Of an answer to `call` that cannot be read.
  Status unreadable(const Call& call, const Status& why) const;

  void interrupt();
  void resume();
  const http::Endpoint& endpoint() const { return http_->endpoint(); }
  const Options& options() const { return options_; }

 private:
  Result<Reply> attempt(const Call& call, const std::string& content_hash, Refusal& refusal);
  /// Sends what is signed already.
  Result<Reply> exchange(const Call& call, const http::Request& request, Refusal& refusal);
  Result<Reply> refused(const Call& call, http::Response response, Refusal& refusal);

  std::string payload_hash(const Call& call, const std::string& content_hash) const;
  /// Adds what belongs to the signature, and the signature.
  Signature sign(const Call& call, http::Request& request, const std::string& hash, std::string_view date);
  std::string host(const Call& call) const;
  std::string path(const Call& call) const;

  /// Takes over the server's clock if that is why it refused; true: it is worth another try.
  bool learn_clock(const Call& call, const Refusal& refusal);
  /// Waits before the next try; false: interrupted.
  bool wait(int tries, const Refusal& refusal);
  std::string name(const Call& call) const;

  const std::shared_ptr<http::Client> http_;
  const std::shared_ptr<const CredentialsSource> credentials_;
  const Options options_;
  Signer signer_;
  std::atomic<std::int64_t> clock_offset_s_ = 0;  // the server's clock is ahead of ours

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t interrupts_ = 0;  // guarded by mutex_
  bool interrupted_ = false;      // guarded by mutex_
};

}  // namespace fermata::s3
