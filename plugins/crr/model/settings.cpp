#include "model/settings.hpp"

#include "http/endpoint.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <utility>

namespace fermata::crr {
namespace {

namespace json = boost::json;

Status read_duration(const json::object& journal, const std::string& path, std::string_view name, std::chrono::milliseconds least,
                     std::chrono::milliseconds most, std::chrono::milliseconds& out) {
  const auto* value = journal.if_contains(name);
  if (value == nullptr) return Status::ok();
  const auto parsed = value->is_string() ? text::parse_duration(value->get_string()) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most)
    return {Code::kInvalidArgument, path + "." + std::string(name) + ": must be a duration from " + std::to_string(least.count()) +
                                        "ms to " + std::to_string(most.count()) + "ms, such as \"200ms\", \"30s\" or \"1h\""};
  out = *parsed;
  return Status::ok();
}

/// The path without dots, double and trailing slashes and, as far as it exists, symbolic links; empty if it is not absolute.
std::string canonical(const json::value& path) {
  if (!path.is_string() || !path.get_string().starts_with("/")) return {};
  std::error_code ignored;
  const std::filesystem::path given(std::string(path.get_string()));
  auto found = std::filesystem::weakly_canonical(given, ignored);
  if (ignored) found = given.lexically_normal();
  std::string text = found.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

/// Roots within each other would replicate replicas.
Status check_apart(const Settings& settings) {
  const auto with_slash = [](const std::string& path) { return path == "/" ? path : path + "/"; };
  std::vector<std::pair<std::string, std::string>> roots;
  if (settings.source.type == SourceSettings::Type::kFilesystem) roots.emplace_back(with_slash(settings.source.path), "settings.source");
  for (const auto& location : settings.locations)
    if (location.type == LocationSettings::Type::kFilesystem)
      roots.emplace_back(with_slash(location.path), "locations[" + location.name + "]");
  std::sort(roots.begin(), roots.end());
  for (std::size_t i = 1; i < roots.size(); ++i) {
    const auto& [outer, outer_name] = roots[i - 1];
    const auto& [inner, inner_name] = roots[i];
    if (inner.starts_with(outer))
      return {Code::kInvalidArgument, inner_name + ".path: " + inner + " lies within " + outer_name + ".path, " + outer +
                                          "; source and locations need directories apart from each other"};
  }
  return Status::ok();
}

/// One store is source or location, once: an object that is copied onto itself is copied for ever.
Status check_stores(const Settings& settings) {
  std::vector<std::pair<std::string, std::string>> stores;
  const auto add = [&stores](const S3Settings& s3, std::string name) {
    const auto endpoint = http::Endpoint::parse(s3.endpoint);  // the same place can be written in several ways
    if (endpoint) stores.emplace_back(endpoint->text() + endpoint->base_path, std::move(name));
  };
  if (settings.source.type == SourceSettings::Type::kS3) add(settings.source.s3, "settings.source");
  for (const auto& location : settings.locations)
    if (location.type == LocationSettings::Type::kS3) add(location.s3, "locations[" + location.name + "]");
  std::stable_sort(stores.begin(), stores.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto twice = std::adjacent_find(stores.begin(), stores.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice == stores.end()) return Status::ok();
  return {Code::kInvalidArgument,
          (twice + 1)->second + ".endpoint: " + twice->first + " is the store of " + twice->second + ", too; each needs one of its own"};
}

std::string text_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value == nullptr || !value->is_bool() || value->get_bool();
}

Status read_path(const json::object& from, const std::string& name, std::string& path) {
  const auto* value = from.if_contains("path");
  path = value == nullptr ? std::string() : canonical(*value);
  if (path.empty()) return {Code::kInvalidArgument, name + ".path: must be an absolute path, such as \"/srv/objects\""};
  return Status::ok();
}

Status read_payload_signing(const json::object& from, const std::string& name, s3::Options::Payload& out) {
  using Payload = s3::Options::Payload;
  const auto text = from.contains("payload_signing") ? text_of(from, "payload_signing") : "auto";
  if (text != "auto" && text != "chunked" && text != "unsigned")
    return {Code::kInvalidArgument, name + R"(.payload_signing: must be "auto", "chunked" or "unsigned")"};
  out = text == "auto" ? Payload::kAuto : text == "chunked" ? Payload::kSigned : Payload::kUnsigned;
  return Status::ok();
}

Status read_s3(const json::object& from, const std::string& name, S3Settings& out) {
  out.endpoint = text_of(from, "endpoint");
  if (const auto endpoint = http::Endpoint::parse(out.endpoint); !endpoint)
    return {Code::kInvalidArgument, name + ".endpoint: " + endpoint.status().message()};
  out.access_key = text_of(from, "access_key");
  out.secret_key = text_of(from, "secret_key");
  if (out.access_key.empty() || out.secret_key.empty())
    return {Code::kInvalidArgument, name + ": access_key and secret_key are needed; write them as ${env:NAME} or ${file:PATH}"};
  if (const auto region = text_of(from, "region"); !region.empty()) out.region = region;
  out.path_style = flag_of(from, "path_style");
  out.ca_file = text_of(from, "ca_file");
  return read_payload_signing(from, name, out.payload_signing);
}

/// Members that only the other kind has.
Status refuse_members(const json::object& from, const std::string& name, std::span<const std::string_view> members) {
  for (const auto member : members)
    if (from.contains(member))
      return {Code::kInvalidArgument,
              name + "." + std::string(member) + ": a " + text_of(from, "type") + " has no such setting; remove it"};
  return Status::ok();
}

constexpr std::string_view kOnlyFilesystem[] = {"path"};
constexpr std::string_view kOnlyS3[] = {"endpoint", "region",          "access_key",     "secret_key",   "path_style",
                                        "ca_file",  "payload_signing", "create_buckets", "storage_class"};

Result<bool> read_is_s3(const json::object& from, const std::string& name) {
  const auto type = text_of(from, "type");
  if (type != "filesystem" && type != "s3") return Status(Code::kInvalidArgument, name + R"(.type: must be "filesystem" or "s3")");
  const bool is_s3 = type == "s3";
  auto status = is_s3 ? refuse_members(from, name, kOnlyFilesystem) : refuse_members(from, name, kOnlyS3);
  if (!status) return status;
  return is_s3;
}

Status read_source(const json::object& settings, SourceSettings& out) {
  const auto* source = settings.if_contains("source");
  if (source == nullptr || !source->is_object())
    return {Code::kInvalidArgument, "settings.source: is missing; write {\"type\": \"filesystem\", \"path\": \"/srv/objects\"}"};
  const auto is_s3 = read_is_s3(source->get_object(), "settings.source");
  if (!is_s3) return is_s3.status();
  out.type = *is_s3 ? SourceSettings::Type::kS3 : SourceSettings::Type::kFilesystem;
  return *is_s3 ? read_s3(source->get_object(), "settings.source", out.s3) : read_path(source->get_object(), "settings.source", out.path);
}

/// The members that a kind of journal knows beside its type.
struct JournalKind {
  std::string_view name;
  JournalSettings::Type type;
  std::span<const std::string_view> members;
};
constexpr std::string_view kFilesystemMembers[] = {"rescan_interval", "settle"};
constexpr std::string_view kEventsMembers[] = {"topic"};
constexpr std::string_view kWebhookMembers[] = {"token"};
constexpr std::string_view kScanMembers[] = {"interval"};
constexpr JournalKind kJournalKinds[] = {{"filesystem", JournalSettings::Type::kFilesystem, kFilesystemMembers},
                                         {"s3-events", JournalSettings::Type::kS3Events, kEventsMembers},
                                         {"s3-webhook", JournalSettings::Type::kS3Webhook, kWebhookMembers},
                                         {"scan", JournalSettings::Type::kScan, kScanMembers}};
constexpr std::size_t kLeastToken = 16;

Result<JournalSettings> read_journal(const json::object& from, const std::string& path) {
  using std::chrono::milliseconds;
  constexpr milliseconds kWeek(7LL * 86'400'000);
  const auto type = from.contains("type") ? text_of(from, "type") : "filesystem";
  const auto kind = std::find_if(std::begin(kJournalKinds), std::end(kJournalKinds), [&type](const auto& one) { return one.name == type; });
  if (kind == std::end(kJournalKinds))
    return Status(Code::kInvalidArgument, path + R"(.type: must be "filesystem", "s3-events", "s3-webhook" or "scan")");
  for (const auto& [name, value] : from)
    if (name != "type" && std::find(kind->members.begin(), kind->members.end(), std::string_view(name)) == kind->members.end())
      return Status(Code::kInvalidArgument,
                    path + "." + std::string(name) + ": a journal of type " + type + " has no such setting; remove it");
  JournalSettings out;
  out.type = kind->type;
  if (auto status = read_duration(from, path, "rescan_interval", milliseconds(1'000), kWeek, out.rescan_interval); !status) return status;
  if (auto status = read_duration(from, path, "settle", milliseconds(0), milliseconds(60'000), out.settle); !status) return status;
  if (auto status = read_duration(from, path, "interval", milliseconds(1'000), 4 * kWeek, out.interval); !status) return status;
  out.topic = text_of(from, "topic");
  out.token = text_of(from, "token");
  if (out.type == JournalSettings::Type::kS3Events && out.topic.empty())
    return Status(Code::kInvalidArgument, path + ".topic: name the topic that the store publishes its events to");
  if (out.type == JournalSettings::Type::kS3Webhook && out.token.size() < kLeastToken)
    return Status(Code::kInvalidArgument, path + ".token: must have at least 16 characters; write it as ${env:NAME} or ${file:PATH}");
  return out;
}

Status read_journals(const json::object& settings, Settings& out) {
  const auto* journal = settings.if_contains("journal");
  const bool is_list = journal != nullptr && journal->is_array();
  if (journal != nullptr && !is_list && !journal->is_object())
    return {Code::kInvalidArgument, "settings.journal: must be an object, or a list of objects"};
  const json::array list = is_list ? journal->get_array() : journal != nullptr ? json::array{*journal} : json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = is_list ? "settings.journal[" + std::to_string(i) + "]" : "settings.journal";
    if (!list[i].is_object()) return {Code::kInvalidArgument, path + ": must be an object"};
    auto read = read_journal(list[i].get_object(), path);
    if (!read) return read.status();
    out.journals.push_back(std::move(*read));
  }
  if (is_list && list.empty()) return {Code::kInvalidArgument, "settings.journal: the list is empty; without it a default is used"};
  if (!out.journals.empty()) return Status::ok();
  JournalSettings usual;
  if (out.source.type == SourceSettings::Type::kS3) {
    usual.type = JournalSettings::Type::kScan;
    usual.interval = std::chrono::hours(1);
  }
  out.journals.push_back(std::move(usual));
  return Status::ok();
}

Status check_journals(const Settings& settings) {
  const bool is_s3 = settings.source.type == SourceSettings::Type::kS3;
  std::size_t scans = 0;
  std::size_t webhooks = 0;
  std::vector<std::string> topics;
  for (const auto& journal : settings.journals) {
    const bool for_s3 = journal.type != JournalSettings::Type::kFilesystem;
    if (for_s3 != is_s3)
      return {Code::kInvalidArgument, std::string("settings.journal: the source is ") +
                                          (is_s3 ? "an S3 store: use s3-events, s3-webhook or scan" : "a directory: use filesystem")};
    scans += journal.type == JournalSettings::Type::kScan ? 1 : 0;
    webhooks += journal.type == JournalSettings::Type::kS3Webhook ? 1 : 0;
    if (!journal.topic.empty() && std::find(topics.begin(), topics.end(), journal.topic) != topics.end())
      return {Code::kInvalidArgument, "settings.journal: two journals have the topic " + journal.topic};
    topics.push_back(journal.topic);
  }
  if (scans > 1 || webhooks > 1 || (!is_s3 && settings.journals.size() > 1))
    return {Code::kInvalidArgument, "settings.journal: there can be one scan, one s3-webhook and one filesystem journal"};
  return Status::ok();
}

Status read_rules(const json::object& settings, Settings& out) {
  const auto* rules = settings.if_contains("rules");
  if (rules == nullptr) return Status::ok();
  if (!rules->is_array()) return {Code::kInvalidArgument, "settings.rules: must be a list"};
  const auto names = out.location_names();
  for (const auto& entry : rules->get_array()) {
    const std::string path = "settings.rules[" + std::to_string(out.rules.size()) + "]";
    if (!entry.is_object()) return {Code::kInvalidArgument, path + ": must be an object"};
    const auto& from = entry.get_object();
    Rule rule{text_of(from, "bucket"), text_of(from, "prefix"), {}, {}, flag_of(from, "delete_markers"), flag_of(from, "version_deletes")};
    if (const auto* tags = from.if_contains("tags")) rule.tags = json::value_to<Tags>(*tags);
    if (!rule.tags.empty() && out.source.type != SourceSettings::Type::kS3)
      return {Code::kInvalidArgument, path + ".tags: files have no tags; remove it"};
    if (const auto* locations = from.if_contains("locations")) rule.locations = json::value_to<std::vector<std::string>>(*locations);
    for (const auto& name : rule.locations)
      if (std::find(names.begin(), names.end(), name) == names.end())
        return {Code::kInvalidArgument, path + ".locations: there is no location '" + name + "'; add it below locations"};
    out.rules.push_back(std::move(rule));
  }
  return Status::ok();
}

Result<LocationSettings> read_location(const json::object& from) {
  LocationSettings out;
  out.name = from.at("name").as_string();
  const std::string path = "locations[" + out.name + "]";
  if (out.name.find_first_of(std::string_view(",/\0", 3)) != std::string::npos || out.name.size() > 255)
    return Status(Code::kInvalidArgument, path + ".name: must have at most 255 bytes and no comma or slash");
  const auto is_s3 = read_is_s3(from, path);
  if (!is_s3) return is_s3.status();
  out.type = *is_s3 ? LocationSettings::Type::kS3 : LocationSettings::Type::kFilesystem;
  if (auto status = *is_s3 ? read_s3(from, path, out.s3) : read_path(from, path, out.path); !status) return status;
  out.create_buckets = flag_of(from, "create_buckets");
  if (const auto* classes = from.if_contains("storage_class"))
    out.storage_classes = json::value_to<std::map<std::string, std::string>>(*classes);
  if (const auto* rate = from.if_contains("error_rate")) out.error_rate = rate->to_number<double>();
  if (out.error_rate <= 0 || out.error_rate > 1)
    return Status(Code::kInvalidArgument, path + ".error_rate: must be over 0 and at most 1, such as 0.5");
  return out;
}

Status read_locations(const json::array& locations, Settings& out) {
  for (const auto& entry : locations) {
    auto location = read_location(entry.as_object());
    if (!location) return location.status();
    out.locations.push_back(std::move(*location));
  }
  return Status::ok();
}

Result<Settings> read(const json::object& config) {
  Settings out;
  const auto& settings = config.at("settings").as_object();
  if (auto status = read_source(settings, out.source); !status) return status;
  if (auto status = read_journals(settings, out); !status) return status;
  if (auto status = check_journals(out); !status) return status;
  if (const auto* workers = settings.if_contains("workers")) {
    const auto* number = workers->if_int64();
    if (number == nullptr || *number < 1 || *number > 64)
      return Status(Code::kInvalidArgument, "settings.workers: must be a number from 1 to 64");
    out.workers = static_cast<std::size_t>(*number);
  }
  if (auto status = read_locations(config.at("locations").as_array(), out); !status) return status;
  if (auto status = read_rules(settings, out); !status) return status;
  if (auto status = check_apart(out); !status) return status;
  if (auto status = check_stores(out); !status) return status;
  return out;
}

}  // namespace

std::vector<std::string> Settings::location_names() const {
  std::vector<std::string> names;
  for (const auto& location : locations) names.push_back(location.name);
  return names;
}

Result<Settings> parse_settings(std::string_view config_json) {
  try {
    return read(json::parse(config_json).as_object());
  } catch (const std::exception& error) {
    return Status(Code::kInvalidArgument, std::string("the configuration cannot be read: ") + error.what());
  }
}

}  // namespace fermata::crr
