#pragma once

#include <string>
#include <string_view>

namespace fermata::ingestion {

/// Between an object's key and a version's internal id in a metadata key.
constexpr char kVersionSeparator = '\0';
/// What an object that never had a version counts as among its versions: older than all. Smaller ids are newer.
constexpr std::string_view kOldestVersion = "99999999999999999999";

/// The form in which clients of S3 see an internal version id: base 62 (32 characters) if it has 27 characters whose first
/// twenty are digits, else hexadecimal.
std::string encode_version_id(std::string_view internal);

}  // namespace fermata::ingestion
