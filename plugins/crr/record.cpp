#include "record.hpp"

#include "text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>

namespace fermata::crr {
namespace {

namespace json = boost::json;

constexpr std::string_view kPreferredRead = ":preferred_read";

json::object replication_info(const std::vector<std::string>& locations) {
  json::array backends;
  std::string storage_class;
  for (const auto& location : locations) {
    backends.push_back({{"site", location}, {"status", "PENDING"}, {"dataStoreVersionId", ""}});
    if (!storage_class.empty()) storage_class += ',';
    storage_class += location;
  }
  return {{"status", "PENDING"}, {"backends", std::move(backends)}, {"content", {"DATA", "METADATA"}}, {"storageClass", storage_class}};
}

std::vector<std::string> split_storage_class(std::string_view list) {
  std::vector<std::string> locations;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view name = list.substr(0, comma);
    if (name.ends_with(kPreferredRead)) name.remove_suffix(kPreferredRead.size());
    if (!name.empty()) locations.emplace_back(name);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return locations;
}

std::uint64_t parse_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string text_or_empty(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

bool ReplicationRecord::names(std::string_view location) const {
  return std::find(locations.begin(), locations.end(), location) != locations.end();
}

std::string record_key(const ObjectId& id) { return encode_uri_component(id.path()); }

std::string format_record(const ReplicationRecord& record) {
  const bool is_delete = record.type == ReplicationRecord::Type::kDelete;
  json::object metadata{{"content-length", record.size},
                        {"last-modified", format_iso_ns(record.mtime_ns)},
                        {"versionId", std::to_string(record.version)},
                        {"replicationInfo", replication_info(record.locations)}};
  if (is_delete) metadata["isDeleteMarker"] = true;
  return json::serialize(json::object{
      {"type", is_delete ? "del" : "put"}, {"bucket", record.id.bucket}, {"key", record.id.key}, {"value", json::serialize(metadata)}});
}

Result<ReplicationRecord> parse_record(std::string_view text) {
  try {
    const auto entry = json::parse(text);
    const auto& object = entry.as_object();
    const auto metadata = json::parse(object.at("value").as_string());
    const auto& fields = metadata.as_object();
    ReplicationRecord record;
    const std::string type = text_or_empty(object, "type");
    if (type != "put" && type != "del") return Status(Code::kInvalidArgument, "not a replication record: its type is neither put nor del");
    record.type = type == "put" ? ReplicationRecord::Type::kPut : ReplicationRecord::Type::kDelete;
    record.id = {text_or_empty(object, "bucket"), text_or_empty(object, "key")};
    if (record.id.bucket.empty() || record.id.key.empty())
      return Status(Code::kInvalidArgument, "not a replication record: it names no bucket or no key");
    record.version = parse_number(text_or_empty(fields, "versionId"));
    if (const auto* size = fields.if_contains("content-length")) record.size = size->to_number<std::uint64_t>();
    record.locations = split_storage_class(text_or_empty(fields.at("replicationInfo").as_object(), "storageClass"));
    return record;
  } catch (const std::exception& error) {
    return Status(Code::kInvalidArgument, std::string("not a replication record: ") + error.what());
  }
}

}  // namespace fermata::crr
