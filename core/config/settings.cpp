#include "config/settings.hpp"

#include "base/units.hpp"
#include "config/accepts.hpp"
#include "config/suggest.hpp"

#include <utility>

namespace fermata::config {
namespace {

using std::chrono::milliseconds;
constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;
using Kind = Setting::Kind;

Setting flag(std::string_view key, bool& target, std::string_view meaning) {
  return {key, Kind::kBool, target ? "true" : "false", meaning, [&target](const SettingValue& value) { target = std::get<bool>(value); }};
}

template <typename T>
Setting number(Kind kind, std::string_view key, T& target, std::string value, std::int64_t min, std::int64_t max,
               std::string_view meaning) {
  Setting setting{key, kind, std::move(value), meaning,
                  [&target](const SettingValue& stored) { target = static_cast<T>(std::get<std::int64_t>(stored)); }};
  setting.min = min;
  setting.max = max;
  return setting;
}

template <typename T>
Setting integer(std::string_view key, T& target, std::int64_t min, std::int64_t max, std::string_view meaning) {
  return number(Kind::kInteger, key, target, std::to_string(target), min, max, meaning);
}

Setting size(std::string_view key, std::size_t& target, std::int64_t min, std::int64_t max, std::string_view meaning) {
  return number(Kind::kSize, key, target, size_text(target), min, max, meaning);
}

Setting duration(std::string_view key, milliseconds& target, std::int64_t min_ms, std::int64_t max_ms, std::string_view meaning) {
  return number(Kind::kDuration, key, target, format_duration(target), min_ms, max_ms, meaning);
}

Setting string(std::string_view key, std::string& target, std::string_view allowed, bool (*accepts)(const std::string&),
               std::string_view meaning) {
  Setting setting{key, Kind::kString, target.empty() ? "\"\"" : target, meaning,
                  [&target](const SettingValue& value) { target = std::get<std::string>(value); }};
  setting.allowed = allowed;
  setting.accepts = accepts;
  return setting;
}

Setting choice(std::string_view key, std::string_view value, std::vector<std::string_view> choices,
               std::function<void(const std::string&)> store, std::string_view meaning) {
  Setting setting{key, Kind::kChoice, std::string(value), meaning,
                  [store = std::move(store)](const SettingValue& stored) { store(std::get<std::string>(stored)); }};
  setting.choices = std::move(choices);
  return setting;
}

Setting with_default(Setting setting, std::string_view text) {
  setting.value = text;
  return setting;
}

Setting required(Setting setting) {
  setting.value.clear();
  setting.required = true;
  return setting;
}

std::string list_text(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const auto& item : items) text.append(text.size() > 1 ? ", " : "").append("\"").append(item).append("\"");
  return text + "]";
}

}  // namespace

std::vector<std::string_view> Section::keys() const {
  std::vector<std::string_view> keys;
  for (const auto& setting : settings) keys.push_back(setting.key);
  for (const auto& one : nested) keys.push_back(one.key);
  return keys;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::pair<std::string_view, int> kUnits[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}};
  for (const auto& [name, shift] : kUnits)
    if (bytes != 0 && bytes % (1ull << shift) == 0) return std::to_string(bytes >> shift).append(name);
  return std::to_string(bytes);
}

std::string allowed_text(const Setting& setting) {
  switch (setting.kind) {
    case Kind::kBool: return "true, false";
    case Kind::kInteger: return std::to_string(setting.min) + " to " + std::to_string(setting.max);
    case Kind::kSize:
      return size_text(static_cast<std::uint64_t>(setting.min)) + " to " + size_text(static_cast<std::uint64_t>(setting.max));
    case Kind::kDuration: return format_duration(milliseconds(setting.min)) + " to " + format_duration(milliseconds(setting.max));
    case Kind::kChoice: return join(setting.choices);
    case Kind::kString:
    case Kind::kStringList: break;
  }
  return std::string(setting.allowed);
}

Section file_section(Config& config) {
  return {
      "",
      "The file itself.",
      {
          with_default(string("node_id", config.node_id, "letters, digits, '.', '_', '-'; at most 128", is_node_id,
                              "The name of this node in the cluster; must differ from that of every other node."),
                       "the host name"),
          string("data_dir", config.data_dir, "a path", is_not_empty,
                 "Where state, queue and private files live. Made if missing; one daemon at a time owns it. A relative path starts at the "
                 "folder of this file."),
          with_default(string("plugin_dir", config.plugin_dir, "a path", is_not_empty,
                              "Where plugins are looked for. A relative path starts at the folder of this file."),
                       "../lib/fermata/plugins, seen from the binary's folder"),
          duration("shutdown_timeout", config.shutdown_timeout, kSecond, kHour,
                   "How long SIGTERM waits for work in flight before the daemon exits anyway."),
      },
      {
          {"rest", "map", "The REST API."},
          {"log", "map", "The log."},
          {"cluster", "map", "One machine or many."},
          {"queue", "map", "The embedded queue."},
          {"extensions", "list of maps", "The services this daemon runs, one entry each. At most 256."},
      }};
}

Section rest_section(RestConfig& rest) {
  Setting allow_from{"allow_from", Kind::kStringList, list_text(rest.allow_from),
                     "Who may call, besides this machine itself: peer addresses or ranges. Empty: nobody else. Others get 403.",
                     [&rest](const SettingValue& value) { rest.allow_from = std::get<std::vector<std::string>>(value); }};
  allow_from.allowed = "addresses such as \"10.1.2.3\" or ranges such as \"10.1.0.0/16\"; at most 1024";
  allow_from.accepts = is_address_range;
  return {"rest",
          "The REST API, for operators, scripts and the CLI.",
          {
              string("address", rest.address, "an IPv4 or IPv6 address", is_address,
                     "Where to listen; \"0.0.0.0\" or \"::\" for every interface. See `allow_from` before opening it."),
              integer("port", rest.port, 0, 65'535, "Where to listen; 0 takes any free port and writes it to `<data_dir>/rest.address`."),
              integer("max_connections", rest.max_connections, 1, 65'536, "Connections at one time; more are answered 503 and closed."),
              size("max_header_bytes", rest.max_header_bytes, kKiB, kMiB, "Size of a request's headers."),
              size("max_body_bytes", rest.max_body_bytes, kKiB, 64 * kMiB, "Size of a request's body; larger ones are answered 413."),
              duration("read_timeout", rest.read_timeout, 100, kHour, "A request must have arrived whole within it, else 408."),
              duration("idle_timeout", rest.idle_timeout, 100, kDay, "A kept-alive connection without a request is closed after it."),
              duration("request_timeout", rest.request_timeout, 100, kHour, "A request that is not answered within it is answered 503."),
              std::move(allow_from),
          }};
}

Section log_section(LogConfig& log) {
  return {
      "log",
      "The log. SIGHUP opens the file anew, after a rotation.",
      {
          choice(
              "level", log.level, {"debug", "info", "warn", "error"}, [&log](const std::string& level) { log.level = level; },
              "The least important lines that are written. Reloaded by SIGHUP."),
          choice(
              "format", log.json ? "json" : "text", {"text", "json"}, [&log](const std::string& format) { log.json = format == "json"; },
              "Text for people, or one JSON object a line: time, level, component, message, fields."),
          string("file", log.file, "a path", nullptr,
                 "Where lines go; empty: standard error. A relative path starts at the folder of this file."),
      }};
}

Section cluster_section(ClusterConfig& cluster) {
  const auto set_mode = [&cluster](const std::string& mode) {
    cluster.mode = mode == "embedded" ? ClusterConfig::Mode::kEmbedded : ClusterConfig::Mode::kDistributed;
  };
  return {
      "cluster",
      "One machine, or many.",
      {
          choice("mode", cluster.mode == ClusterConfig::Mode::kEmbedded ? "embedded" : "distributed", {"embedded", "distributed"}, set_mode,
                 "`embedded` needs no server: SQLite in `data_dir` holds state and queue. `distributed` (ZooKeeper, Redis, Kafka) is not "
                 "in this version."),
          string("base_path", cluster.base_path, "an absolute path such as /backbeat", is_state_path,
                 "Below which path of the state store everything is kept."),
      }};
}

Section queue_section(QueueConfig& queue) {
  return {
      "queue",
      "The embedded queue.",
      {
          integer("partitions", queue.partitions, 1, 1'024, "Partitions of topics that are made on demand."),
          duration("retention", queue.retention, kSecond, 3'650 * kDay, "How long records wait for a consumer group that is not active."),
          size("producer_buffer", queue.producer_buffer_bytes, kMiB, 4 * kGiB,
               "Records that producers have handed over and that are not written yet."),
      }};
}

Section extension_section(ExtensionConfig& extension) {
  return {
      "extensions[]",
      "One service, its plugin and its locations. Names are unique within the file.",
      {
          required(string("name", extension.name,
                          "a lower-case letter, then lower-case letters, digits, '_', '-'; at most 64; not backbeat, healthcheck, metrics, "
                          "monitoring",
                          is_service_name, "The service, as the plugin and the URLs name it.")),
          with_default(
              string("plugin", extension.plugin, "a file name or a path", is_not_empty,
                     "The shared object: a file name below `plugin_dir`, or a path, which starts at the folder of this file unless "
                     "absolute."),
              "<name>.so"),
          flag("required", extension.required, "Whether the daemon refuses to start when this plugin fails to load."),
      },
      {
          {"settings", "map", "What the plugin wants to know; its schema says what is allowed. `fermata config check` checks it."},
          {"locations", "list of maps", "The storage locations that the service works for. At most 100,000."},
          {"pipeline", "map", "Bounds and retries of the service's pipelines."},
      }};
}

Section location_section(LocationConfig& location) {
  Setting paused{"paused", Kind::kBool, "as the plugin says",
                 "Whether the location is paused when it is seen for the first time; from then on the operator's word counts.",
                 [&location](const SettingValue& value) { location.paused = std::get<bool>(value); }};
  return {"extensions[].locations[]",
          "One location. Names are unique within the extension. Every other key is the plugin's.",
          {
              required(string("name", location.name, "1 to 255 bytes without '/'; not all, '.', '..'", is_location_name,
                              "The location, as the URLs name it.")),
              std::move(paused),
          },
          {},
          true};
}

Section pipeline_section(PipelineConfig& pipeline) {
  constexpr std::int64_t kMaxAttempts = 1'000'000;
  return {
      "extensions[].pipeline",
      "Bounds and retries of the service's pipelines.",
      {
          integer("max_in_flight", pipeline.max_in_flight, 1, 10'000, "Records that one processor is handed at one time."),
          size("max_in_flight_bytes", pipeline.max_in_flight_bytes, kKiB, 64 * kGiB, "And their bytes; one record alone may exceed it."),
          integer("max_attempts", pipeline.max_attempts, 1, kMaxAttempts, "Tries before a record goes to the failed store; 1: no retries."),
          duration("retry_first", pipeline.retry_first, 1, kHour, "Wait before the second try; doubles each time, with jitter."),
          duration("retry_max", pipeline.retry_max, 1, kDay, "The longest wait between two tries; at least `retry_first`."),
      }};
}

}  // namespace fermata::config
