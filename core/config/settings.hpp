#pragma once
// The one table of what a configuration may say. The parser, the reference page and the JSON Schema all come from it.

#include "config/config.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fermata::config {

using SettingValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>, std::map<std::string, std::string>>;

/// One key with a scalar, a list of strings, or a map of strings.
struct Setting {
  enum class Kind { kBool, kInteger, kSize, kDuration, kString, kChoice, kStringList, kStringMap };

  std::string_view key;
  Kind kind;
  std::string value;  ///< what the struct holds now, as YAML; of a fresh struct: the default
  std::string_view meaning;
  std::function<void(const SettingValue&)> store;  ///< kSize in bytes, kDuration in milliseconds
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::vector<std::string_view> choices = {};
  std::string_view allowed = {};                       ///< of strings: what `accepts` accepts, for people
  bool (*accepts)(const std::string& text) = nullptr;  ///< of strings, and of each one in a list; null: anything
  bool required = false;
};

/// A key that holds a section, a list of sections, or something that only a plugin understands.
struct Nested {
  std::string_view key;
  std::string_view type;  ///< for people: "map", "list of maps"
  std::string_view meaning;
};

struct Section {
  std::string_view path;  ///< "" for the file itself, "rest", "extensions[].pipeline"
  std::string_view meaning;
  std::vector<Setting> settings;
  std::vector<Nested> nested = {};
  bool open = false;  ///< other keys are allowed too: the plugin's schema says which

  std::vector<std::string_view> keys() const;
};

// The settings of each section; `store` writes into the struct that is given, which outlives the result.
Section file_section(Config& config);
Section rest_section(RestConfig& rest);
Section log_section(LogConfig& log);
Section cluster_section(ClusterConfig& cluster);
Section zookeeper_section(ZookeeperConfig& zookeeper);
Section redis_section(RedisConfig& redis);
Section kafka_section(KafkaConfig& kafka);
Section queue_section(QueueConfig& queue);
Section extension_section(ExtensionConfig& extension);
Section location_section(LocationConfig& location);
Section pipeline_section(PipelineConfig& pipeline);

/// What may be written for a setting, for people: "0 to 65535", "1ms to 1d".
std::string allowed_text(const Setting& setting);
/// "64MiB": the largest unit that divides it.
std::string size_text(std::uint64_t bytes);

}  // namespace fermata::config
