#include "transform.hpp"

#include "version_id.hpp"

#include <boost/json.hpp>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;

constexpr std::string_view kMd5OfNothing = "d41d8cd98f00b204e9800998ecf8427e";

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

std::string text_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(view(name));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(view(name));
  return value != nullptr && value->is_bool() && value->get_bool();
}

/// content-length is a number, or digits.
std::optional<std::int64_t> length_of(const json::object& metadata) {
  const auto* value = metadata.if_contains("content-length");
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64(); number != nullptr && *number >= 0) return *number;
  const auto* text = value->if_string();
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < 0) return std::nullopt;
  return number;
}

/// Where the location keeps the data: under the object's own key and version.
void set_place(json::object& metadata, const StoredChange& change, std::string_view location) {
  const bool has_data = change.size > 0;
  json::object place(metadata.storage());
  place.reserve(7);
  place["key"] = view(change.key);
  place["size"] = has_data ? change.size : 0;
  place["start"] = 0;
  place["dataStoreName"] = view(location);
  place["dataStoreType"] = "aws_s3";
  place["dataStoreETag"] = "1:" + (has_data ? change.md5 : std::string(kMd5OfNothing));
  place["dataStoreVersionId"] = change.version_id.empty() ? std::string("null") : encode_version_id(change.version_id);
  json::array places(metadata.storage());
  places.push_back(std::move(place));
  metadata["location"] = std::move(places);
}

void set_owner(json::object& metadata, const BucketSettings& bucket) {
  metadata["owner-id"] = bucket.owner_id;
  metadata["owner-display-name"] = bucket.owner_display_name;
}

/// What every object of a mirror has, whatever it had at its source.
struct Defaults {
  const json::value access = json::parse(R"({"Canned":"private","FULL_CONTROL":[],"WRITE_ACP":[],"READ":[],"READ_ACP":[]})");
  const json::value replication =
      json::parse(R"({"status":"","backends":[],"content":[],"destination":"","storageClass":"","role":"","storageType":"",)"
                  R"("dataStoreVersionId":"","isNFS":null})");
};

void set_defaults(json::object& metadata) {
  static const Defaults defaults;
  metadata["acl"] = json::value(defaults.access, metadata.storage());
  metadata["replicationInfo"] = json::value(defaults.replication, metadata.storage());
}

}  // namespace

Result<StoredChange> transform(Change change, const BucketSettings& bucket, std::string_view location) {
  StoredChange out;
  const auto separator = change.key.find(kVersionSeparator);
  if (separator != std::string::npos) out.version = change.key.substr(separator + 1);
  out.bucket = std::move(change.bucket);
  out.key = std::move(change.key);
  if (separator != std::string::npos) out.key.resize(separator);
  out.version_id = out.version;
  out.origin = change.origin;
  if (change.is_delete) {
    out.kind = StoredChange::Kind::kRemoval;
    return out;
  }
  std::array<unsigned char, 16'384> scratch;  // most objects' metadata fits; what does not comes from the heap
  json::monotonic_resource memory(scratch.data(), scratch.size());
  boost::system::error_code error;
  auto document = json::parse(view(change.value), error, &memory);
  if (error || !document.is_object()) return Status(Code::kInvalidArgument, "the object's metadata is not a JSON object");
  json::object& metadata = document.get_object();
  const auto size = length_of(metadata);
  if (!size) return Status(Code::kInvalidArgument, "the object's metadata has no content-length that is a number");
  out.size = *size;
  out.md5 = text_in(metadata, "content-md5");
  out.last_modified = text_in(metadata, "last-modified");
  out.is_null = flag_in(metadata, "isNull");
  if (auto id = text_in(metadata, "versionId"); !id.empty()) out.version_id = std::move(id);
  out.kind = flag_in(metadata, "isDeleteMarker") ? StoredChange::Kind::kDeleteMarker : StoredChange::Kind::kObject;
  set_owner(metadata, bucket);
  metadata["dataStoreName"] = view(location);
  set_place(metadata, out, location);
  set_defaults(metadata);
  out.metadata = json::serialize(metadata);
  return out;
}

}  // namespace fermata::ingestion
