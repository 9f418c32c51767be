#include "config/config.hpp"
#include "config/json_text.hpp"
#include "config/report.hpp"
#include "config/section_reader.hpp"
#include "config/settings.hpp"
#include "config/yaml_tree.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <map>

namespace fermata::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxExtensions = 256;
constexpr std::size_t kMaxLocations = 100'000;

/// Reads the whole file; the settings themselves stand in settings.cpp.
class FileReader {
 public:
  FileReader(Config& config, Report& report) : config_(config), report_(report) {}

  void read(const YamlNode& root) {
    const std::map<std::string_view, NestedReader> readers{
        {"rest", [&](const YamlNode& node, const Place& place) { read_section(node, place, rest_section(config_.rest), {}, report_); }},
        {"log", [&](const YamlNode& node, const Place& place) { read_section(node, place, log_section(config_.log), {}, report_); }},
        {"cluster",
         [&](const YamlNode& node, const Place& place) { read_section(node, place, cluster_section(config_.cluster), {}, report_); }},
        {"zookeeper",
         [&](const YamlNode& node, const Place& place) { read_section(node, place, zookeeper_section(config_.zookeeper), {}, report_); }},
        {"redis", [&](const YamlNode& node, const Place& place) { read_section(node, place, redis_section(config_.redis), {}, report_); }},
        {"kafka", [&](const YamlNode& node, const Place& place) { read_section(node, place, kafka_section(config_.kafka), {}, report_); }},
        {"queue", [&](const YamlNode& node, const Place& place) { read_section(node, place, queue_section(config_.queue), {}, report_); }},
        {"extensions", [&](const YamlNode& node, const Place& place) { read_extensions(node, place); }},
    };
    read_section(root, {}, file_section(config_), readers, report_);
  }

 private:
  /// True if `node` is a list of at most `max` items, or nothing.
  bool check_list(const YamlNode& node, const Place& place, std::size_t max, std::string_view of_what) {
    if (node.kind == YamlNode::Kind::kNull) return true;
    if (node.kind != YamlNode::Kind::kList) {
      report_.problem(node.line, place,
                      std::string(describe(node)) + " stands here; allowed: a list of " + std::string(of_what) + ", each after '- '");
      return false;
    }
    if (node.items.size() <= max) return true;
    report_.problem(node.line, place,
                    std::to_string(node.items.size()) + " " + std::string(of_what) + "; allowed: at most " + std::to_string(max));
    return false;
  }

  void check_unique(std::map<std::string, int>& seen, const std::string& name, int line, const Place& place) {
    if (name.empty()) return;  // reported already
    const auto [first, is_new] = seen.emplace(name, line);
    if (!is_new)
      report_.problem(line, place.key("name"),
                      "the name '" + name + "' is taken on line " + std::to_string(first->second) + " already; give it another name");
  }

  void read_extensions(const YamlNode& node, const Place& place) {
    if (!check_list(node, place, kMaxExtensions, "extensions")) return;
    std::map<std::string, int> names;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Place at = place.item(i);
      report_.remember_line(at, node.items[i].line);
      config_.extensions.push_back(read_extension(node.items[i], at));
      check_unique(names, config_.extensions.back().name, node.items[i].line, at);
    }
  }

  ExtensionConfig read_extension(const YamlNode& node, const Place& place) {
    ExtensionConfig extension;
    extension.path = place.path;
    extension.line = node.line;
    const std::map<std::string_view, NestedReader> readers{
        {"settings", [&](const YamlNode& child, const Place& at) { read_settings(child, at, extension); }},
        {"locations", [&](const YamlNode& child, const Place& at) { read_locations(child, at, extension); }},
        {"pipeline", [&](const YamlNode& child, const Place& at) { read_pipeline(child, at, extension.pipeline); }},
    };
    read_section(node, place, extension_section(extension), readers, report_);
    if (extension.plugin.empty()) extension.plugin = extension.name + ".so";
    return extension;
  }

  void read_settings(const YamlNode& node, const Place& place, ExtensionConfig& extension) {
    if (node.kind == YamlNode::Kind::kMap)
      extension.settings_json = json_text(node, place, report_);
    else if (node.kind != YamlNode::Kind::kNull)
      report_.problem(node.line, place, std::string(describe(node)) + " stands here; allowed: a map of the plugin's settings");
  }

  void read_locations(const YamlNode& node, const Place& place, ExtensionConfig& extension) {
    if (!check_list(node, place, kMaxLocations, "locations")) return;
    std::map<std::string, int> names;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Place at = place.item(i);
      report_.remember_line(at, node.items[i].line);
      extension.locations.push_back(read_location(node.items[i], at));
      check_unique(names, extension.locations.back().name, node.items[i].line, at);
    }
  }

  LocationConfig read_location(const YamlNode& node, const Place& place) {
    LocationConfig location;
    location.line = node.line;
    if (node.kind != YamlNode::Kind::kMap) {
      report_.problem(node.line, place, std::string(describe(node)) + " stands here; allowed: a map, e.g. '- name: paris'");
      return location;
    }
    read_section(node, place, location_section(location), {}, report_);
    location.json = json_text(node, place, report_, "paused");
    return location;
  }

  void read_pipeline(const YamlNode& node, const Place& place, PipelineConfig& pipeline) {
    read_section(node, place, pipeline_section(pipeline), {}, report_);
    if (pipeline.retry_first > pipeline.retry_max)
      report_.problem(node.line, place.key("retry_first"), "it is longer than retry_max; make it shorter, or retry_max longer");
  }

  Config& config_;
  Report& report_;
};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "localhost";
}

std::string default_plugin_dir() {
  std::error_code error;
  const auto binary = fs::read_symlink("/proc/self/exe", error);
  return (binary.parent_path() / "../lib/fermata/plugins").lexically_normal().string();
}

std::string absolute(const std::string& folder, const std::string& path) { return (fs::path(folder) / path).lexically_normal().string(); }

void complete(Config& config, const std::string& folder) {
  if (config.node_id.empty()) config.node_id = host_name();
  config.data_dir = absolute(folder, config.data_dir);
  config.plugin_dir = config.plugin_dir.empty() ? default_plugin_dir() : absolute(folder, config.plugin_dir);
  if (!config.log.file.empty()) config.log.file = absolute(folder, config.log.file);
  for (auto& extension : config.extensions)
    if (extension.plugin.find('/') != std::string::npos) extension.plugin = absolute(folder, extension.plugin);
}

}  // namespace

Loaded load(const std::string& file) {
  std::error_code error;
  const auto folder = fs::absolute(file, error).parent_path().string();
  Report report(file, folder);
  YamlNode root;
  if (YamlError refused; !read_yaml(file, root, refused)) {
    report.problem(refused.line, {}, refused.message);
    return {std::nullopt, report.take_problems()};
  }
  Config config;
  config.file = file;
  FileReader(config, report).read(root);
  Loaded loaded{std::nullopt, report.take_problems()};
  if (!loaded.problems.empty()) return loaded;
  complete(config, folder);
  config.lines = report.take_lines();
  loaded.config = std::move(config);
  return loaded;
}

}  // namespace fermata::config
