#pragma once

#include "base/status.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::config {

/// One thing that is wrong with a configuration: "file:line: path: what, allowed, hint".
struct Problem {
  std::string file;
  int line = 0;
  std::string path;  ///< "extensions[0].locations[2].path"
  std::string message;

  std::string text() const;
};

struct RestConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8900;  ///< 0: any free port (it is written to <data_dir>/rest.address)
  std::size_t max_connections = 1'024;
  std::size_t max_header_bytes = 16u << 10;
  std::size_t max_body_bytes = 1u << 20;
  std::chrono::milliseconds read_timeout{15'000};     ///< a request must arrive whole within it
  std::chrono::milliseconds idle_timeout{60'000};     ///< a kept-alive connection without a request
  std::chrono::milliseconds request_timeout{30'000};  ///< handlers that do not answer
  std::vector<std::string> allow_from = {};           ///< peer addresses or CIDR ranges; empty: loopback only

  bool operator==(const RestConfig&) const = default;
};

struct LogConfig {
  std::string level = "info";  ///< debug, info, warn, error
  bool json = false;
  std::string file = {};
};

struct QueueConfig {
  std::int32_t partitions = 4;                                ///< of topics that are made on demand
  std::chrono::milliseconds retention{7LL * 24 * 3'600'000};  ///< how long records wait for a group that is not active
  std::size_t producer_buffer_bytes = 64u << 20;

  bool operator==(const QueueConfig&) const = default;
};

struct ClusterConfig {
  enum class Mode { kEmbedded, kDistributed };
  Mode mode = Mode::kEmbedded;
  std::string base_path = "/backbeat";

  bool operator==(const ClusterConfig&) const = default;
};

struct ZookeeperConfig {
  std::vector<std::string> servers{"127.0.0.1:2181"};
  std::string chroot = {};
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds operation_timeout{5'000};
  std::string user = {};  ///< of the digest scheme; empty: no authentication
  std::string password = {};
  bool only_creator = false;  ///< access to new entries

  bool operator==(const ZookeeperConfig&) const = default;
};

struct RedisConfig {
  std::vector<std::string> servers{"127.0.0.1:6379"};  ///< with sentinel_master: Sentinels
  std::string sentinel_master = {};
  std::string sentinel_user = {};
  std::string sentinel_password = {};
  std::string user = {};
  std::string password = {};
  std::int32_t database = 0;
  std::string channel_prefix = {};
  std::string key_prefix = "fermata:";
  std::chrono::milliseconds ping_interval{2'000};
  std::chrono::milliseconds operation_timeout{5'000};
  std::size_t write_buffer_bytes = 64u << 20;

  bool operator==(const RedisConfig&) const = default;
};

struct KafkaConfig {
  std::vector<std::string> brokers{"127.0.0.1:9092"};
  std::string topic_prefix = {};
  std::int16_t replication_factor = 0;  ///< of topics that are made on demand; 0: the brokers' default
  bool static_membership = true;
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds commit_interval{1'000};
  std::size_t prefetch_bytes = 16u << 20;              ///< per consumer
  std::map<std::string, std::string> properties = {};  ///< of librdkafka

  bool operator==(const KafkaConfig&) const = default;
};

struct PipelineConfig {
  std::uint32_t max_in_flight = 64;
  std::size_t max_in_flight_bytes = 64u << 20;
  std::uint32_t max_attempts = 10;
  std::chrono::milliseconds retry_first{500};
  std::chrono::milliseconds retry_max{60'000};
  std::chrono::milliseconds stuck_after{300'000};

  bool operator==(const PipelineConfig&) const = default;
};

struct LocationConfig {
  std::string name;
  std::optional<bool> paused = {};  ///< the state when the location is first seen; later the operator's word counts
  std::string json = {};            ///< the whole entry with its name, but without `paused`, which is the host's, as JSON
  int line = 0;
};

struct ExtensionConfig {
  std::string name;    ///< of the service
  std::string plugin;  ///< an absolute path, or a file name below plugin_dir; default "<name>.so"
  bool required = false;
  std::string settings_json = "{}";
  std::vector<LocationConfig> locations;
  PipelineConfig pipeline;
  std::string path = {};  ///< where it stands: "extensions[0]"
  int line = 0;

  bool operator==(const ExtensionConfig& other) const;  ///< same meaning, wherever it stands
};

struct Config {
  std::string file;
  std::string node_id;                        ///< default: the host name
  std::string data_dir = "/var/lib/fermata";  ///< absolute once loaded: relative ones start at the configuration file's folder
  std::string plugin_dir;                     ///< absolute; default: ../lib/fermata/plugins, seen from the binary's folder
  std::chrono::milliseconds shutdown_timeout{10'000};
  RestConfig rest;
  LogConfig log;
  ClusterConfig cluster;
  ZookeeperConfig zookeeper;  ///< this and the next two: of mode kDistributed
  RedisConfig redis;
  KafkaConfig kafka;
  QueueConfig queue;
  std::vector<ExtensionConfig> extensions;

  /// The line on which the value at `json_pointer` ("/extensions/0/settings/source") or its nearest parent stands.
  int line_of(std::string_view json_pointer) const;
  std::map<std::string, int, std::less<>> lines = {};  ///< by JSON pointer
};

/// A configuration, or everything that is wrong with it, at once.
struct Loaded {
  std::optional<Config> config;
  std::vector<Problem> problems;
};

/// Reads a YAML file: unknown keys, wrong types, values out of bounds and unset ${env:..} or ${file:..} are problems.
/// Durations are written "500ms", "30s", "5m", "6h", "7d"; sizes "64KiB", "16MiB", "1GiB" or plain bytes.
Loaded load(const std::string& file);

}  // namespace fermata::config
