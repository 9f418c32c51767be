#include "store/s3_access.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace fermata::crr {
namespace {

constexpr std::size_t kMd5Digits = 32;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::uint32_t kFileMode = 0644;  // of an object that becomes a file

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_md5(std::string_view etag) { return etag.size() == kMd5Digits && is_hex(etag); }

}  // namespace

Result<std::shared_ptr<s3::Client>> make_s3_client(const S3Settings& settings, std::size_t connections) {
  auto endpoint = http::Endpoint::parse(settings.endpoint);
  if (!endpoint) return endpoint.status();
  http::ClientOptions options;
  options.max_connections = connections;
  options.ca_file = settings.ca_file;
  s3::Options s3_options;
  s3_options.region = settings.region;
  s3_options.path_style = settings.path_style;
  s3_options.payload = settings.payload_signing;
  return std::make_shared<s3::Client>(
      std::make_shared<http::Client>(std::move(*endpoint), std::move(options)),
      std::make_shared<const s3::FixedCredentials>(s3::Credentials{settings.access_key, settings.secret_key}), std::move(s3_options));
}

ObjectMeta to_meta(const s3::ObjectInfo& info) {
  ObjectMeta meta;
  meta.size = info.size;
  meta.mtime_ns = info.last_modified_ms * kNsPerMs;
  meta.mode = kFileMode;
  meta.fingerprint = info.version_id + "/" + info.etag + "/" + std::to_string(info.last_modified_ms);
  meta.content = {info.headers.content_type,     info.headers.content_encoding, info.headers.content_disposition,
                  info.headers.content_language, info.headers.cache_control,    info.headers.expires};
  meta.storage_class = info.headers.storage_class;
  meta.etag = info.etag;
  meta.etag_is_md5 = info.etag_is_md5;
  meta.parts = parts_of_etag(info.etag);
  meta.version_id = info.version_id;
  meta.replica = info.user(kReplicaMark) == kReplicaStatus;
  for (const auto& [name, value] : info.headers.user_metadata)
    if (name != kReplicaMark && name != kVersionMark) meta.user_metadata.emplace_back(name, value);
  return meta;
}

std::uint32_t parts_of_etag(std::string_view etag) {
  const std::size_t dash = etag.find('-');
  std::uint32_t parts = 0;
  if (dash == std::string_view::npos || !is_md5(etag.substr(0, dash))) return 0;
  const auto [end, error] = std::from_chars(etag.data() + dash + 1, etag.data() + etag.size(), parts);
  return error == std::errc() && end == etag.data() + etag.size() ? parts : 0;
}

std::string_view content_md5(const ObjectMeta& meta) {
  const auto md5 = std::string_view(meta.etag).substr(0, meta.etag.find('-'));
  return meta.etag_is_md5 && is_md5(md5) ? md5 : std::string_view();
}

}  // namespace fermata::crr
