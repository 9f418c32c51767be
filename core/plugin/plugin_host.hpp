#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "config/config.hpp"
#include "control/service_driver.hpp"
#include "pipeline/service_pipelines.hpp"
#include "plugin/manifest.hpp"
#include "ports/http_routes.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace fermata::plugin {

/// One extension of the configuration, loaded and running: a plugin's instance, its hooks fenced and time-limited, and
/// its pipelines. Made by PluginHost.
///
/// Threads:   the plugin's [control] functions run on one thread that this instance owns; ServiceDriver and view [any].
/// Lifecycle: start -> stop -> destroy. start retries while the plugin says kUnavailable, in the background.
class ServiceInstance : public control::ServiceDriver {
 public:
  /// Runs `start` of the plugin and of the pipelines in the background; observe() tells how it goes.
  virtual void start() = 0;
  /// Closes the gates, drains, stops and destroys the plugin, within `timeout`. kDeadlineExceeded if a hook hangs; then
  /// its thread and memory are left behind until exit.
  virtual Status stop(std::chrono::milliseconds timeout) = 0;
  virtual control::PluginView view() const = 0;
  virtual pipeline::ServicePipelines& pipelines() = 0;
  virtual const ServiceManifest& manifest() const = 0;
};

/// Opens plugins: reads the manifest, validates settings, copies the file to a private path, loads it, and fences every
/// call into it. A library once loaded stays mapped until exit.
///
/// Lifetime: outlives its instances; what `Dependencies` names outlives it. Threads: [any].
class PluginHost {
 public:
  struct Dependencies {
    pipeline::ServicePipelines::Dependencies pipelines;
    HttpRoutes& routes;
    Executor& control;  ///< timers and notes run here, which never wait for I/O
  };
  struct Options {
    std::string plugin_dir;
    std::string private_dir;  ///< where copies and work directories are made: <data_dir>/plugins
    std::string base_path;    ///< state base path, e.g. "/backbeat"
    std::chrono::milliseconds init_timeout{10'000};
    std::chrono::milliseconds hook_timeout{1'000};
  };

  PluginHost(Options options, Dependencies dependencies);
  ~PluginHost();
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;

  /// The file an extension means.
  std::string resolve(const config::ExtensionConfig& extension) const;

  /// Loads the plugin and runs `create` and `init` of its service, time-limited. The message of a failure is a sentence
  /// that names the file, what is wrong and the fix. Blocks at most init_timeout.
  Result<std::unique_ptr<ServiceInstance>> open(const config::ExtensionConfig& extension);

  /// How many instances hang inside their plugin, although their time is over. Their threads are never joined: while there
  /// are any the process must end by _exit, before what they may use is destroyed.
  std::size_t stuck() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What is known of an extension that could not be opened: what its manifest says, if it can be read. Reads the file, runs
/// no code of it. Threads: [any].
control::PluginView failed_view(const std::string& service, const std::string& file, const std::string& error);

/// Everything that the plugins' schemas refuse in `config`, with file and line.
/// @param include_unreadable  also plugins that cannot be read or do not have the service: with those the daemon starts and
///                            says that the extension failed.
std::vector<config::Problem> check_extensions(const config::Config& config, bool include_unreadable);

}  // namespace fermata::plugin
