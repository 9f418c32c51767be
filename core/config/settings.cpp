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

std::string list_text(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const auto& item : items) text.append(text.size() > 1 ? ", " : "").append("\"").append(item).append("\"");
  return text + "]";
}

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

/// `accepts` is asked about each one.
Setting string_list(std::string_view key, std::vector<std::string>& target, std::string_view allowed, bool (*accepts)(const std::string&),
                    std::string_view meaning) {
  Setting setting{key, Kind::kStringList, list_text(target), meaning,
                  [&target](const SettingValue& value) { target = std::get<std::vector<std::string>>(value); }};
  setting.allowed = allowed;
  setting.accepts = accepts;
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

Setting at_least_one(Setting setting) {
  setting.min = 1;
  return setting;
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
    case Kind::kStringList:
    case Kind::kStringMap: break;
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
          {"zookeeper", "map", "The ensemble that keeps the state, of mode `distributed`."},
          {"redis", "map", "The Redis that carries hints and bulk state, of mode `distributed`."},
          {"kafka", "map", "The brokers that hold the queue, of mode `distributed`."},
          {"queue", "map", "The queue, in either mode."},
          {"extensions", "list of maps", "The services this daemon runs, one entry each. At most 256."},
      }};
}

Section rest_section(RestConfig& rest) {
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
              string_list(
                  "allow_from", rest.allow_from, "addresses such as \"10.1.2.3\" or ranges such as \"10.1.0.0/16\"; at most 1024",
                  is_address_range,
                  "Who may call, besides loopback: peer addresses or ranges; other addresses of this host count like any. Others get 403."),
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
                 "`embedded` needs no server: SQLite in `data_dir` holds state and queue. `distributed` shares them between any number "
                 "of nodes by ZooKeeper, Redis and Kafka."),
          string("base_path", cluster.base_path, "an absolute path such as /backbeat", is_state_path,
                 "Below which path of the state store everything is kept."),
      }};
}

Section zookeeper_section(ZookeeperConfig& zookeeper) {
  const auto set_access = [&zookeeper](const std::string& access) { zookeeper.only_creator = access == "creator"; };
  return {
      "zookeeper",
      "The ensemble that keeps desired states, presence, leases and checkpoints. Of mode `distributed`.",
      {
          at_least_one(string_list("servers", zookeeper.servers, "\"host:port\", at least one", is_endpoint, "The ensemble.")),
          string("chroot", zookeeper.chroot, "empty, or an absolute path such as /site-a", is_chroot,
                 "Where `cluster.base_path` starts; made if missing."),
          duration("session_timeout", zookeeper.session_timeout, kSecond, 5 * 60 * kSecond,
                   "A node that is silent for so long counts no more, and its leases move on. The ensemble has bounds of its own."),
          duration("operation_timeout", zookeeper.operation_timeout, 100, 60 * kSecond, "How long one read or write may take."),
          string("user", zookeeper.user, "any", nullptr, "User of the digest scheme; empty: no authentication."),
          string("password", zookeeper.password, "any", nullptr, "Its password; use `${env:NAME}` or `${file:PATH}`."),
          choice("access", zookeeper.only_creator ? "creator" : "anyone", {"anyone", "creator"}, set_access,
                 "Who may read and write what is made: `creator` is `user` only, which also a Backbeat beside us would then need to be."),
      }};
}

Section redis_section(RedisConfig& redis) {
  return {"redis",
          "The Redis that carries hints between nodes, and keeps failed records, the audit trail and what plugins keep per object. Of mode "
          "`distributed`.",
          {
              at_least_one(string_list("servers", redis.servers, "\"host:port\" or \"unix:/path\", at least one", is_endpoint_or_socket,
                                       "The first that answers is used. With `sentinel_master`: the Sentinels.")),
              string("sentinel_master", redis.sentinel_master, "any", nullptr, "The master that Sentinels watch; empty: no Sentinels."),
              string("sentinel_user", redis.sentinel_user, "any", nullptr, "ACL user for the Sentinels; empty: the default user."),
              string("sentinel_password", redis.sentinel_password, "any", nullptr, "Its password; empty: none."),
              string("user", redis.user, "any", nullptr, "ACL user; empty: the default user."),
              string("password", redis.password, "any", nullptr, "Its password; use `${env:NAME}` or `${file:PATH}`. Empty: none."),
              integer("database", redis.database, 0, 1'000'000, "Number of the database for keys; channels have none."),
              string("channel_prefix", redis.channel_prefix, "at most 64 bytes", is_key_prefix,
                     "Stands before every channel; Backbeat has none."),
              string("key_prefix", redis.key_prefix, "at most 64 bytes", is_key_prefix,
                     "Stands before every key: clusters that share a Redis need different ones."),
              duration("ping_interval", redis.ping_interval, 100, kHour,
                       "A connection that is silent is probed after it, and given up after twice as long."),
              duration("operation_timeout", redis.operation_timeout, 100, 60 * kSecond, "How long connecting, or one read, may take."),
              size("write_buffer", redis.write_buffer_bytes, kMiB, 4 * kGiB,
                   "Writes that wait for Redis; nothing new is taken when it is full."),
          }};
}

Section kafka_section(KafkaConfig& kafka) {
  Setting properties{"properties", Kind::kStringMap, "{}",
                     "Any property of librdkafka, such as `security.protocol`, `sasl.*`, `ssl.*` or `compression.type`; they win over "
                     "what Fermata sets, but for `bootstrap.servers`, `group.id`, `group.instance.id`, `enable.auto.commit`, "
                     "`enable.auto.offset.store` and `max.in.flight`, which are refused. Names and values are checked at the start.",
                     [&kafka](const SettingValue& value) { kafka.properties = std::get<std::map<std::string, std::string>>(value); }};
  properties.allowed = "names and values; at most 1024";
  return {"kafka",
          "The brokers that hold the queue, from version 0.11 on. Of mode `distributed`.",
          {
              at_least_one(string_list("brokers", kafka.brokers, "\"host:port\", at least one", is_endpoint, "Some of the brokers.")),
              string("topic_prefix", kafka.topic_prefix, "letters, digits, '.', '_', '-'; at most 64", is_topic_prefix,
                     "Stands before every topic and consumer group: clusters that share brokers need different ones. Backbeat has none."),
              integer("replication_factor", kafka.replication_factor, 0, 1'000,
                      "Copies of topics that are made on demand; 0: the brokers' default (before Kafka 2.4: 1)."),
              flag("static_membership", kafka.static_membership,
                   "Whether a node that restarts within `session_timeout` gets its partitions back without a rebalance."),
              duration("session_timeout", kafka.session_timeout, kSecond, 30 * 60 * kSecond,
                       "A node that is silent for so long loses its partitions to the others. The brokers have bounds of their own."),
              duration("commit_interval", kafka.commit_interval, 10, 60 * kSecond, "How often offsets are committed."),
              size("prefetch", kafka.prefetch_bytes, 4 * kMiB, kGiB, "What each consumer reads ahead, also while it is paused."),
              std::move(properties),
          }};
}

Section queue_section(QueueConfig& queue) {
  return {
      "queue",
      "The queue, in either mode. Topics that are there already stay as they are.",
      {
          integer("partitions", queue.partitions, 1, 1'024, "Partitions of topics that are made on demand."),
          duration(
              "retention", queue.retention, kSecond, 3'650 * kDay,
              "How long records wait for a consumer group: embedded for one that is not active, in Kafka for any. Longer than the longest "
              "pause."),
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
          integer("max_in_flight", pipeline.max_in_flight, 1, 10'000,
                  "Records that one processor is handed at one time; a number that the plugin sets for it wins."),
          size("max_in_flight_bytes", pipeline.max_in_flight_bytes, kKiB, 64 * kGiB, "And their bytes; one record alone may exceed it."),
          integer("max_attempts", pipeline.max_attempts, 1, kMaxAttempts, "Tries before a record goes to the failed store; 1: no retries."),
          duration("retry_first", pipeline.retry_first, 1, kHour, "Wait before the second try; doubles each time, with jitter."),
          duration("retry_max", pipeline.retry_max, 1, kDay, "The longest wait between two tries; at least `retry_first`."),
          duration("stuck_after", pipeline.stuck_after, 1, kDay, "A record that is with the plugin for longer is named in log and status."),
      }};
}

}  // namespace fermata::config
