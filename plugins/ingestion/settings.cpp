#include "settings.hpp"

#include "http/endpoint.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::size_t kMaxBuckets = 1'000;
constexpr std::size_t kMaxSessions = 1'000;

std::string text_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Result<std::optional<StoreSettings>> read_store(const json::object& settings, const std::string& work_dir) {
  const json::object& from = settings.at("store").as_object();
  const std::string type = text_of(from, "type");
  if (type == "elsewhere") {
    if (from.size() > 1) return Status(Code::kInvalidArgument, "settings.store: a store that is elsewhere has no other settings here");
    return std::optional<StoreSettings>();
  }
  if (type != "sqlite") return Status(Code::kInvalidArgument, R"(settings.store.type: must be "sqlite" or "elsewhere")");
  StoreSettings out;
  out.path = from.contains("path") ? text_of(from, "path") : work_dir + "/metadata.db";
  if (!out.path.starts_with('/'))
    return Status(Code::kInvalidArgument, "settings.store.path: must be an absolute path, such as \"/var/lib/fermata/ingestion.db\"");
  const std::string synchronous = from.contains("synchronous") ? text_of(from, "synchronous") : "full";
  if (synchronous != "full" && synchronous != "normal")
    return Status(Code::kInvalidArgument, R"(settings.store.synchronous: must be "full" or "normal")");
  out.survives_power_loss = synchronous == "full";
  out.replaces = text_of(from, "replaces");
  return std::optional(std::move(out));
}

/// An owner that a location gives for all its buckets, or a bucket for itself.
void read_owner(const json::object& from, BucketSettings& out) {
  const auto* owner = from.if_contains("owner");
  if (owner == nullptr || !owner->is_object()) return;
  out.owner_id = text_of(owner->get_object(), "id");
  out.owner_display_name = text_of(owner->get_object(), "display_name");
}

Status read_buckets(const json::object& from, const std::string& path, LocationSettings& out) {
  const auto& buckets = from.at("buckets").as_array();
  if (buckets.empty() || buckets.size() > kMaxBuckets)
    return {Code::kInvalidArgument, path + ".buckets: name between one and 1000 buckets"};
  for (const auto& entry : buckets) {
    const std::string where = path + ".buckets[" + std::to_string(out.buckets.size()) + "]";
    BucketSettings bucket;
    bucket.source = text_of(entry.as_object(), "source");
    bucket.target = entry.as_object().contains("target") ? text_of(entry.as_object(), "target") : bucket.source;
    read_owner(from, bucket);
    read_owner(entry.as_object(), bucket);
    for (const auto& name : {bucket.source, bucket.target})
      if (name.empty() || name.find('/') != std::string::npos)
        return {Code::kInvalidArgument, where + ": '" + name + "' is no bucket; give source (and target, if it has another name)"};
    if (bucket.owner_id.empty())
      return {Code::kInvalidArgument, where + ": nobody owns it; give owner {id, display_name} to it or to the location"};
    if (out.find_source(bucket.source) != nullptr)
      return {Code::kInvalidArgument, where + ".source: '" + bucket.source + "' stands twice; a bucket is mirrored once per location"};
    out.buckets.push_back(std::move(bucket));
  }
  return Status::ok();
}

Status read_sessions(const json::object& from, const std::string& path, LocationSettings& out) {
  for (const auto& session : from.at("sessions").as_array()) {
    const auto* number = session.if_int64();
    if (number == nullptr || *number < 0)
      return {Code::kInvalidArgument, path + ".sessions: must be numbers of raft sessions, such as [1, 2]"};
    if (std::find(out.sessions.begin(), out.sessions.end(), *number) != out.sessions.end())
      return {Code::kInvalidArgument, path + ".sessions: " + std::to_string(*number) + " stands twice"};
    out.sessions.push_back(*number);
  }
  if (out.sessions.empty() || out.sessions.size() > kMaxSessions)
    return {Code::kInvalidArgument, path + ".sessions: name between one and 1000 raft sessions, such as [1]"};
  return Status::ok();
}

Result<LocationSettings> read_location(const json::object& from) {
  LocationSettings out;
  out.name = from.at("name").as_string();
  const std::string path = "locations[" + out.name + "]";
  out.endpoint = text_of(from, "endpoint");
  if (const auto endpoint = http::Endpoint::parse(out.endpoint); !endpoint)
    return Status(Code::kInvalidArgument, path + ".endpoint: " + endpoint.status().message());
  out.ca_file = text_of(from, "ca_file");
  if (auto status = read_sessions(from, path, out); !status) return status;
  if (auto status = read_buckets(from, path, out); !status) return status;
  const std::string begin = from.contains("from") ? text_of(from, "from") : "now";
  if (begin != "now" && begin != "beginning") return Status(Code::kInvalidArgument, path + R"(.from: must be "now" or "beginning")");
  if (begin == "beginning") out.from = LocationSettings::From::kBeginning;
  if (const auto* interval = from.if_contains("poll_interval")) {
    const auto parsed = interval->is_string() ? text::parse_duration(interval->get_string()) : std::nullopt;
    if (!parsed || *parsed < milliseconds(10) || *parsed > milliseconds(3'600'000))
      return Status(Code::kInvalidArgument, path + R"(.poll_interval: must be a duration from 10ms to 1h, such as "1s")");
    out.poll_interval = *parsed;
  }
  return out;
}

/// A record names only its target: one that two locations fill would be written by both.
Status check_targets(const Settings& settings) {
  std::map<std::string, std::string> owners;
  for (const auto& location : settings.locations)
    for (const auto& bucket : location.buckets)
      if (const auto [owner, is_new] = owners.try_emplace(bucket.target, location.name); !is_new)
        return {Code::kInvalidArgument, "locations[" + location.name + "].buckets: target '" + bucket.target +
                                            "' is filled by a bucket of location '" + owner->second + "' already; give it another name"};
  return Status::ok();
}

Result<Settings> read(const json::object& config) {
  Settings out;
  const auto& settings = config.at("settings").as_object();
  auto store = read_store(settings, text_of(config, "work_dir"));
  if (!store) return store.status();
  out.store = std::move(*store);
  out.instance_id = text_of(settings, "instance_id");
  for (const auto& entry : config.at("locations").as_array()) {
    auto location = read_location(entry.as_object());
    if (!location) return location.status();
    out.locations.push_back(std::move(*location));
  }
  if (auto status = check_targets(out); !status) return status;
  return out;
}

const BucketSettings* find_bucket(const std::vector<BucketSettings>& buckets, std::string BucketSettings::*name, std::string_view wanted) {
  const auto found = std::find_if(buckets.begin(), buckets.end(), [&](const auto& bucket) { return bucket.*name == wanted; });
  return found == buckets.end() ? nullptr : &*found;
}

}  // namespace

const BucketSettings* LocationSettings::find_source(std::string_view bucket) const {
  return find_bucket(buckets, &BucketSettings::source, bucket);
}
const BucketSettings* LocationSettings::find_target(std::string_view bucket) const {
  return find_bucket(buckets, &BucketSettings::target, bucket);
}

Result<Settings> parse_settings(std::string_view config_json) {
  try {
    return read(json::parse(json::string_view(config_json.data(), config_json.size())).as_object());
  } catch (const std::exception& error) {
    return Status(Code::kInvalidArgument, std::string("the configuration cannot be read: ") + error.what());
  }
}

}  // namespace fermata::ingestion
