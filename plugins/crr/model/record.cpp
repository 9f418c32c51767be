#include "model/record.hpp"

#include "s3/encode.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <optional>

namespace fermata::crr {
namespace {

namespace json = boost::json;

constexpr std::int64_t kNsPerMs = 1'000'000;
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

/// The operation in the words of S3's events, which tells apart what "put" and "del" do not.
std::string_view origin_op(ReplicationRecord::Type type) {
  switch (type) {
    case ReplicationRecord::Type::kPut: return "s3:ObjectCreated:Put";
    case ReplicationRecord::Type::kDelete: return "s3:ObjectRemoved:DeleteMarkerCreated";
    case ReplicationRecord::Type::kDeleteVersion: return "s3:ObjectRemoved:Delete";
    case ReplicationRecord::Type::kTags: return "s3:ObjectTagging:Put";
    case ReplicationRecord::Type::kSync: return "fermata:Sync";
  }
  return {};
}

std::optional<ReplicationRecord::Type> type_of(std::string_view type, std::string_view op) {
  using Type = ReplicationRecord::Type;
  if (type == "del") return op == origin_op(Type::kDeleteVersion) ? Type::kDeleteVersion : Type::kDelete;
  if (type != "put") return std::nullopt;
  if (op == origin_op(Type::kTags)) return Type::kTags;
  return op == origin_op(Type::kSync) ? Type::kSync : Type::kPut;
}

/// Records of a store that keeps no versions have the journal's own version as their id.
void read_version(const json::object& entry, const json::object& metadata, ReplicationRecord& record) {
  const std::string id = text_or_empty(metadata, "versionId");
  const auto* overhead = entry.if_contains("overheadFields");
  if (overhead == nullptr || !overhead->is_object() || !overhead->get_object().contains("version")) {
    record.version = parse_number(id);
    return;
  }
  const auto& fields = overhead->get_object();
  record.version = fields.at("version").to_number<std::uint64_t>();
  if (id != std::to_string(record.version)) record.version_id = id;
  record.late = fields.contains("late");
  record.alone = fields.contains("alone");
}

}  // namespace

bool ReplicationRecord::names(std::string_view location) const {
  return std::find(locations.begin(), locations.end(), location) != locations.end();
}

std::string record_key(const ObjectId& id) { return text::encode_uri_component(id.path()); }

std::string format_record(const ReplicationRecord& record) {
  using Type = ReplicationRecord::Type;
  json::object metadata{{"content-length", record.size},
                        {"last-modified", text::format_iso_ns(record.mtime_ns)},
                        {"versionId", record.version_id.empty() ? std::to_string(record.version) : record.version_id},
                        {"originOp", origin_op(record.type)},
                        {"replicationInfo", replication_info(record.locations)}};
  if (record.type == Type::kDelete) metadata["isDeleteMarker"] = true;
  json::object overhead{{"version", record.version}};
  if (record.late) overhead["late"] = true;
  if (record.alone) overhead["alone"] = true;
  const bool is_delete = record.type == Type::kDelete || record.type == Type::kDeleteVersion;
  return json::serialize(json::object{{"type", is_delete ? "del" : "put"},
                                      {"bucket", record.id.bucket},
                                      {"key", record.id.key},
                                      {"value", json::serialize(metadata)},
                                      {"overheadFields", std::move(overhead)}});
}

Result<ReplicationRecord> parse_record(std::string_view text) {
  try {
    const auto entry = json::parse(text);
    const auto& object = entry.as_object();
    const auto metadata = json::parse(object.at("value").as_string());
    const auto& fields = metadata.as_object();
    ReplicationRecord record;
    const auto type = type_of(text_or_empty(object, "type"), text_or_empty(fields, "originOp"));
    if (!type) return Status(Code::kInvalidArgument, "not a replication record: its type is neither put nor del");
    record.type = *type;
    record.id = {text_or_empty(object, "bucket"), text_or_empty(object, "key")};
    if (record.id.bucket.empty() || record.id.key.empty())
      return Status(Code::kInvalidArgument, "not a replication record: it names no bucket or no key");
    read_version(object, fields, record);
    record.mtime_ns = s3::parse_iso_ms(text_or_empty(fields, "last-modified")) * kNsPerMs;
    if (const auto* size = fields.if_contains("content-length")) record.size = size->to_number<std::uint64_t>();
    record.locations = split_storage_class(text_or_empty(fields.at("replicationInfo").as_object(), "storageClass"));
    return record;
  } catch (const std::exception& error) {
    return Status(Code::kInvalidArgument, std::string("not a replication record: ") + error.what());
  }
}

}  // namespace fermata::crr
