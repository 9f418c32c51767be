#pragma once

#include "model/object.hpp"
#include "model/settings.hpp"

#include "s3/client.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace fermata::crr {

/// @param connections  at one time. @return kInvalidArgument if the endpoint is no URL; nothing is connected yet.
Result<std::shared_ptr<s3::Client>> make_s3_client(const S3Settings& settings, std::size_t connections);

/// What a source in S3 tells about an object; without its tags.
ObjectMeta to_meta(const s3::ObjectInfo& info);

/// The number of parts in the ETag of a multipart upload, "<md5>-<n>"; 0 for all others.
std::uint32_t parts_of_etag(std::string_view etag);
/// The MD5 in the object's ETag, hex: of its content or, if it was uploaded in parts, of theirs; empty if the ETag has none.
std::string_view content_md5(const ObjectMeta& meta);

}  // namespace fermata::crr
