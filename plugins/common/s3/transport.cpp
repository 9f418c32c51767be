#include "s3/transport.hpp"

#include "s3/chunk_signed_body.hpp"
#include "s3/xml.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

namespace fermata::s3 {

namespace {

constexpr std::size_t kLongestError = 64 * 1024;
constexpr std::size_t kLongestDocument = 16 * 1024 * 1024;
constexpr std::int64_t kSkew = 300;  // seconds between the clocks that may be why a refusal came without a code
constexpr std::chrono::milliseconds kFirstWait{100};
constexpr std::chrono::milliseconds kLongestWait{10'000};

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::chrono::seconds retry_after(const http::Response& response, std::int64_t server_time_s) {
  const std::string text = response.header("Retry-After").value_or("");
  if (const auto date = parse_http_date_s(text)) return std::chrono::seconds(std::max<std::int64_t>(*date - server_time_s, 0));
  unsigned seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(seconds);
}

bool worth_another_try(Code code) { return code == Code::kUnavailable || code == Code::kResourceExhausted || code == Code::kAborted; }

}  // namespace

Transport::Transport(std::shared_ptr<http::Client> http, std::shared_ptr<const CredentialsSource> credentials, Options options)
    : http_(std::move(http)), credentials_(std::move(credentials)), options_(std::move(options)), signer_(options_.region) {}

Result<Reply> Transport::send(const Call& call, Refusal* refusal) {
  const std::string content_hash = call.body == nullptr ? to_hex(sha256(call.content)) : "";
  bool clock_learned = false;
  for (int tries = 1;; ++tries) {
    Refusal last;
    Result<Reply> reply = attempt(call, content_hash, last);
    if (refusal != nullptr) *refusal = last;
    if (reply) return reply;
    if (!std::exchange(clock_learned, true) && learn_clock(call, last) && (call.body == nullptr || call.body->rewind())) continue;
    if (!call.repeatable || tries >= call.most_tries || !worth_another_try(reply.status().code()) || !wait(tries, last)) return reply;
  }
}

Result<Reply> Transport::attempt(const Call& call, const std::string& content_hash, Refusal& refusal) {
  const std::string date = amz_date(now_s() + clock_offset_s_);
  const std::string hash = payload_hash(call, content_hash);
  http::Request request{.method = call.method, .headers = call.headers, .idempotent = call.repeatable, .first_byte_timeout = call.patience};
  if (hash == kSignedChunks) request.headers.emplace_back("x-amz-decoded-content-length", std::to_string(call.body_size));
  Signature signature = sign(call, request, hash, date);
  if (hash == kSignedChunks) {
    ChunkSignedBody chunks(*call.body, call.body_size, ChunkSigner(std::move(signature), date));
    request.body = &chunks;
    request.content_length = ChunkSignedBody::encoded_length(call.body_size);
    return exchange(call, request, refusal);
  }
  http::MemoryBody memory(call.content);
  request.content_length = call.body != nullptr ? call.body_size : call.content.size();
  request.body = call.body != nullptr ? call.body : request.content_length > 0 ? &memory : nullptr;
  return exchange(call, request, refusal);
}

Result<Reply> Transport::exchange(const Call& call, const http::Request& request, Refusal& refusal) {
  Result<http::Response> response = http_->send(request);
  if (!response) return Status{response.status().code(), name(call) + ": " + response.status().message()};
  if (response->status() < 200 || response->status() > 299) return refused(call, std::move(*response), refusal);
  if (call.streams) return Reply{.response = std::move(*response)};
  Result<std::string> document = response->read_all(kLongestDocument);
  if (!document) return Status{document.status().code(), name(call) + ": " + document.status().message()};
  return Reply{.response = std::move(*response), .document = std::move(*document)};
}

Result<Reply> Transport::refused(const Call& call, http::Response response, Refusal& refusal) {
  refusal.status = response.status();
  refusal.is_delete_marker = response.header("x-amz-delete-marker") == "true";
  refusal.server_time_s = parse_http_date_s(response.header("Date").value_or(""));
  refusal.retry_after = retry_after(response, refusal.server_time_s.value_or(now_s()));
  const Result<std::string> text = response.read_all(kLongestError);
  refusal.document = text ? parse_error(*text).value_or(ErrorDocument{}) : ErrorDocument{};
  if (refusal.document.request_id.empty()) refusal.document.request_id = response.header("x-amz-request-id").value_or("");
  return failure(call, refusal);
}

Status Transport::failure(const Call& call, const Refusal& refusal) const {
  std::string message = endpoint().text() + ": " + name(call) + ": " + describe(refusal.status, refusal.document);
  if (refusal.retry_after.count() > 0) message += "; Retry-After " + std::to_string(refusal.retry_after.count()) + " s";
  if (refusal.status >= 300 && refusal.status < 400) message += "; the bucket is elsewhere: look at endpoint and region";
  return {classify(refusal.status, refusal.document.code, !call.key.empty()), std::move(message)};
}

Status Transport::unreadable(const Call& call, const Status& why) const {
  return {why.code(), endpoint().text() + ": " + name(call) + ": " + why.message()};
}

std::string Transport::payload_hash(const Call& call, const std::string& content_hash) const {
  if (call.body == nullptr) return content_hash;
  const bool vouched_for = endpoint().tls || call.tells_md5;
  const bool signs = options_.payload == Options::Payload::kSigned || (options_.payload == Options::Payload::kAuto && !vouched_for);
  return std::string(signs ? kSignedChunks : kUnsignedPayload);
}

Signature Transport::sign(const Call& call, http::Request& request, const std::string& hash, std::string_view date) {
  const Credentials credentials = credentials_->current();
  const std::string encoded_path = path(call);
  const std::string query = query_string(call.query);
  request.target = query.empty() ? encoded_path : encoded_path + "?" + query;
  request.headers.emplace_back("Host", host(call));
  request.headers.emplace_back("x-amz-content-sha256", hash);
  request.headers.emplace_back("x-amz-date", date);
  if (!credentials.session_token.empty()) request.headers.emplace_back("x-amz-security-token", credentials.session_token);
  const std::string full_path = endpoint().base_path + encoded_path;
  Signature signature = signer_.sign(
      {.method = request.method, .path = full_path, .query = query, .headers = request.headers, .payload_hash = hash}, credentials, date);
  request.headers.emplace_back("Authorization", signature.authorization);
  return signature;
}

std::string Transport::host(const Call& call) const {
  const bool in_host = !options_.path_style && !call.bucket.empty();
  return in_host ? call.bucket + "." + endpoint().authority() : endpoint().authority();
}

std::string Transport::path(const Call& call) const {
  std::string text = "/";
  if (options_.path_style && !call.bucket.empty()) text += uri_encode(call.bucket) + (call.key.empty() ? "" : "/");
  return text + uri_encode_path(call.key);
}

bool Transport::learn_clock(const Call& call, const Refusal& refusal) {
  if (!refusal.server_time_s) return false;
  const std::int64_t offset = *refusal.server_time_s - now_s();
  const bool told = refusal.document.code == "RequestTimeTooSkewed";
  // The answer to a HEAD has no body that could tell the code.
  const bool guessed = refusal.status == 403 && call.method == "HEAD" && std::abs(offset - clock_offset_s_) > kSkew;
  if (told || guessed) clock_offset_s_ = offset;
  return told || guessed;
}

bool Transport::wait(int tries, const Refusal& refusal) {
  const auto spread = std::chrono::steady_clock::now().time_since_epoch().count() % kFirstWait.count();  // so that not all come at once
  const auto own = kFirstWait * (1 << (2 * (tries - 1))) + std::chrono::milliseconds(spread);
  const auto time = std::min(std::max<std::chrono::milliseconds>(own, refusal.retry_after), kLongestWait);
  std::unique_lock lock(mutex_);
  if (interrupted_) return false;
  const std::uint64_t before = interrupts_;
  return !changed_.wait_for(lock, time, [&] { return interrupts_ != before; });
}

void Transport::interrupt() {
  {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    ++interrupts_;
  }
  changed_.notify_all();
  http_->interrupt();
}

void Transport::resume() {
  http_->resume();
  const std::lock_guard lock(mutex_);
  interrupted_ = false;
}

std::string Transport::name(const Call& call) const {
  std::string text(call.operation);
  if (!call.bucket.empty()) text += " " + call.bucket;
  if (!call.key.empty()) text += "/" + call.key;
  return text;
}

}  // namespace fermata::s3
