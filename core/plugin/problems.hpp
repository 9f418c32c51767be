#pragma once

#include "base/status.hpp"
#include "config/config.hpp"
#include "plugin/manifest.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

/// The file that an extension means: as written if it has a "/", else below `plugin_dir`.
std::string plugin_file(const std::string& plugin_dir, const config::ExtensionConfig& extension);

/// One value of an extension that the plugin's schema refuses.
struct ExtensionProblem {
  std::string pointer;  ///< below the extension: "/settings/source", "/locations/2/path"
  std::string message;
};
/// Everything that the service's schemas refuse in the extension's settings and locations.
std::vector<ExtensionProblem> check_extension(const ServiceManifest& service, const config::ExtensionConfig& extension);

/// The service of that name, or why there is none, naming those that the plugin has.
Result<ServiceManifest> find_service(const std::string& file, const Manifest& manifest, std::string_view name);

}  // namespace fermata::plugin
