#include "plugin/problems.hpp"

#include "plugin/plugin_host.hpp"
#include "plugin/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace fermata::plugin {
namespace {

void add(std::vector<ExtensionProblem>& problems, const std::string& below, const std::vector<SchemaProblem>& found) {
  for (const auto& problem : found) problems.push_back({below + problem.pointer, problem.message});
}

// "/locations/2/a~1b" as people write it: ".locations[2].a/b".
std::string readable(std::string_view pointer) {
  std::string path;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    std::string token(pointer.substr(0, end));
    for (auto at = token.find("~1"); at != std::string::npos; at = token.find("~1")) token.replace(at, 2, "/");
    for (auto at = token.find("~0"); at != std::string::npos; at = token.find("~0", at + 1)) token.replace(at, 2, "~");
    const bool index = !token.empty() && std::all_of(token.begin(), token.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    path += index ? "[" + token + "]" : "." + token;
    pointer.remove_prefix(end);
  }
  return path;
}

std::string json_pointer(const std::string& path) {  // "extensions[3]" -> "/extensions/3"
  std::string pointer = "/" + path;
  std::replace(pointer.begin(), pointer.end(), '[', '/');
  std::erase(pointer, ']');
  return pointer;
}

}  // namespace

std::string plugin_file(const std::string& plugin_dir, const config::ExtensionConfig& extension) {
  const std::string name = extension.plugin.empty() ? extension.name + ".so" : extension.plugin;
  return name.find('/') == std::string::npos ? plugin_dir + "/" + name : name;
}

std::vector<ExtensionProblem> check_extension(const ServiceManifest& service, const config::ExtensionConfig& extension) {
  std::vector<ExtensionProblem> problems;
  add(problems, "/settings", validate(service.settings_schema_json, extension.settings_json));
  const auto schema = SchemaValidator::compile(service.location_schema_json);
  if (!schema) {
    problems.push_back({"/locations", fmt::format("the plugin's schema of a location is unusable: {}", schema.status().message())});
    return problems;
  }
  for (std::size_t i = 0; i < extension.locations.size(); ++i)
    add(problems, fmt::format("/locations/{}", i), schema->validate(extension.locations[i].json));
  return problems;
}

Result<ServiceManifest> find_service(const std::string& file, const Manifest& manifest, std::string_view name) {
  if (const auto* service = manifest.service(name)) return *service;
  std::string names;
  for (const auto& service : manifest.services) names += (names.empty() ? "'" : ", '") + service.name + "'";
  return Status(Code::kNotFound,
                fmt::format("plugin file '{}' has no service '{}', only {}; name one of them as the extension, or another file as its "
                            "`plugin`",
                            file, name, names));
}

std::vector<config::Problem> check_extensions(const config::Config& config, bool include_unreadable) {
  std::vector<config::Problem> problems;
  for (const auto& extension : config.extensions) {
    const auto report = [&](const std::string& pointer, const std::string& message) {
      problems.push_back(
          {config.file, config.line_of(json_pointer(extension.path) + pointer), extension.path + readable(pointer), message});
    };
    const std::string file = plugin_file(config.plugin_dir, extension);
    const auto manifest = read_manifest(file);
    if (!manifest) {
      if (include_unreadable) report("/plugin", manifest.status().message());
      continue;
    }
    const auto service = find_service(file, *manifest, extension.name);
    if (!service) {
      if (include_unreadable) report("/name", service.status().message());
      continue;
    }
    for (const auto& problem : check_extension(*service, extension)) report(problem.pointer, problem.message);
  }
  return problems;
}

}  // namespace fermata::plugin
