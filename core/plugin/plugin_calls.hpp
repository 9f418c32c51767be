#pragma once

#include "base/status.hpp"

#include <fermata/abi/plugin.h>

#include <string>
#include <string_view>

namespace fermata::plugin {

/// What a plugin adds to the host's picture of a location.
struct PluginStatus {
  enum class State { kHealthy, kDegraded, kFailed };
  State state = State::kHealthy;
  std::string message = {};
  std::string details_json = {};  ///< a JSON object, or empty

  bool operator==(const PluginStatus&) const = default;
};

/// What `status` wrote, read. Text that is not as the ABI wants it is kDegraded, and says so.
PluginStatus parse_plugin_status(std::string_view json);

/// One instance of a service inside a plugin: its [control] functions, fenced. Errors name the plugin and the function.
/// Threads: those of the instance's hook thread only.
class PluginCalls {
 public:
  PluginCalls(const fermata_plugin& plugin, std::string name) : plugin_(plugin), label_("plugin '" + std::move(name) + "'") {}

  Status create(const fermata_host* host, std::string_view service);
  /// Does nothing without an instance.
  void destroy();
  Status init(std::string_view config_json);
  Status start();
  Status stop();
  Status pause(std::string_view location);
  Status resume(std::string_view location);
  PluginStatus status(std::string_view location);
  bool has_status() const { return plugin_.status != nullptr; }

 private:
  template <typename Call>
  Status call(std::string_view what, Call&& function) const;

  const fermata_plugin plugin_;
  const std::string label_;
  void* instance_ = nullptr;
};

}  // namespace fermata::plugin
