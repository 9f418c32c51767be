#pragma once

#include "base/status.hpp"
#include "plugin/manifest.hpp"

#include <fermata/abi/plugin.h>

#include <string>

namespace fermata::plugin {

/// Copies `file` to "<private_dir>/<stem>-<hash of its content>.so", so that replacing the original never changes what
/// is mapped. An equal copy is reused. @return the copy's path.
Result<std::string> private_copy(const std::string& file, const std::string& private_dir);

struct Entry {
  fermata_plugin_entry_fn call;
};
/// Loads `path` and finds its entry. The library stays mapped until exit.
/// @param file  what messages name: the original of the copy at `path`.
Result<Entry> load_entry(const std::string& path, const std::string& file);

/// Loads `path` and asks its entry for the plugin.
/// @param manifest  read from it; the entry must agree with it.
/// @return the plugin's functions as this host knows them: members that the plugin is too old to have are null.
Result<fermata_plugin> load_library(const std::string& path, const std::string& file, const Manifest& manifest);

}  // namespace fermata::plugin
