#pragma once
// The documents of the S3 API, with or without a namespace or prefixes. Sizes are the caller's to bound.

#include "s3/client.hpp"
#include "s3/errors.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::s3 {

/// The document, if it is an <Error>.
std::optional<ErrorDocument> parse_error(std::string_view text);

// kUnavailable: `text` is not what was asked for, as when something between us and the server answers in its place.
Result<VersionPage> parse_versions(std::string_view text);
Result<std::vector<Upload>> parse_uploads(std::string_view text);
Result<std::vector<std::string>> parse_buckets(std::string_view text);
Result<Tags> parse_tags(std::string_view text);
Result<Client::Versioning> parse_versioning(std::string_view text);
/// @return the upload id.
Result<std::string> parse_created_upload(std::string_view text);
/// @return the ETag, without quotes.
Result<std::string> parse_completed_upload(std::string_view text);

std::string write_tags(const Tags& tags);
std::string write_parts(std::span<const CompletedPart> parts);
std::string write_versioning_enabled();
std::string write_location(std::string_view region);

/// An ETag without its quotes.
std::string unquoted(std::string_view etag);

}  // namespace fermata::s3
