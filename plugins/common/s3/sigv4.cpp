#include "s3/sigv4.hpp"

#include "s3/encode.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <map>
#include <stdexcept>

namespace fermata::s3 {

namespace {

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return lower;
}

/// No blanks at the ends, and single ones in between.
std::string trim_all(std::string_view value) {
  std::string trimmed;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank) {
      trimmed += c;
    } else if (!trimmed.empty() && trimmed.back() != ' ') {
      trimmed += ' ';
    }
  }
  if (trimmed.ends_with(' ')) trimmed.pop_back();
  return trimmed;
}

}  // namespace

std::string sha256(std::string_view data) {
  std::string digest(32, '\0');
  if (EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  }
  return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(data), data.size(),
           reinterpret_cast<unsigned char*>(digest.data()), &size) == nullptr) {
    throw std::runtime_error("OpenSSL cannot compute HMAC-SHA-256");
  }
  return digest;
}

std::string canonical_request(const Signable& request, std::string& signed_headers) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    const auto [at, first] = headers.try_emplace(lower_case(name), trim_all(value));
    if (!first) at->second.append(",").append(trim_all(value));
  }
  std::string text;
  text.append(request.method).append("\n").append(request.path).append("\n").append(request.query).append("\n");
  for (const auto& [name, value] : headers) {
    text.append(name).append(":").append(value).append("\n");
    signed_headers.append(signed_headers.empty() ? "" : ";").append(name);
  }
  return text.append("\n").append(signed_headers).append("\n").append(request.payload_hash);
}

Signature Signer::sign(const Signable& request, const Credentials& credentials, std::string_view date) {
  Signature signature;
  signature.key = key_for(credentials, date.substr(0, 8));
  std::string names;
  const std::string canonical = canonical_request(request, names);
  std::string text = "AWS4-HMAC-SHA256\n";
  text.append(date).append("\n").append(signature.key->scope).append("\n").append(to_hex(sha256(canonical)));
  signature.text = to_hex(hmac_sha256(signature.key->key, text));
  signature.authorization = "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + signature.key->scope +
                            ",SignedHeaders=" + names + ",Signature=" + signature.text;
  return signature;
}

std::shared_ptr<const SigningKey> Signer::key_for(const Credentials& credentials, std::string_view day) {
  const std::lock_guard lock(mutex_);
  if (key_ != nullptr && key_day_ == day && key_secret_ == credentials.secret_key) return key_;
  const std::string of_day = hmac_sha256("AWS4" + credentials.secret_key, day);
  const std::string of_service = hmac_sha256(hmac_sha256(of_day, region_), service_);
  key_ = std::make_shared<const SigningKey>(
      SigningKey{hmac_sha256(of_service, "aws4_request"), std::string(day) + "/" + region_ + "/" + service_ + "/aws4_request"});
  key_day_ = day;
  key_secret_ = credentials.secret_key;
  return key_;
}

std::string ChunkSigner::sign(std::string_view chunk) {
  static const std::string empty_hash = to_hex(sha256(""));
  std::string text = "AWS4-HMAC-SHA256-PAYLOAD\n";
  text.append(date_).append("\n").append(seed_.key->scope).append("\n").append(previous_).append("\n");
  text.append(empty_hash).append("\n").append(to_hex(sha256(chunk)));
  previous_ = to_hex(hmac_sha256(seed_.key->key, text));
  return previous_;
}

}  // namespace fermata::s3
