#pragma once

#include "base/clock.hpp"
#include "base/worker_pool.hpp"
#include "config/config.hpp"
#include "control/control_plane.hpp"
#include "plugin/plugin_host.hpp"
#include "rest/api.hpp"
#include "rest/http_server.hpp"
#include "rest/router.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace fermata::app {

/// The daemon: everything, wired. Members stand in the order in which they are made; destruction is the reverse.
///
///     config -> log, metrics -> backend (state, leases, fan-out, kv, queue: embedded, or ZooKeeper, Redis and Kafka)
///            -> executors (control, blocking, workers) -> control plane -> plugins -> router -> HTTP server
///
/// Lifecycle: start -> (reload | reopen_logs)* -> stop -> destroy. Threads: those four from one thread; HostView [any].
class Application final : public rest::HostView {
 public:
  /// Builds and starts all. Extensions that fail are shown as failed; only those that are `required` make it an error.
  static Result<std::unique_ptr<Application>> start(config::Config config);
  ~Application() override;
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  /// Reopens the log file, then takes over what changed in the configuration file: log level, and extensions that came,
  /// went or changed, or do not work (each is drained, then started anew; one that does not start with its changed
  /// configuration goes on with its former one). A file with problems changes nothing; they are logged.
  /// @param interrupted  asked between extensions: true ends the reload early, as the process is to stop.
  void reload(const std::function<bool()>& interrupted);

  /// Drains and stops all within `config.shutdown_timeout`. @return kDeadlineExceeded when work in flight did not end or a
  /// plugin hangs: the process must then leave by _exit, for that plugin's threads cannot be joined. Idempotent.
  Status stop();

  std::string address() const;

  std::vector<control::PluginView> plugins() const override;
  std::vector<std::string> not_ready() const override;
  Result<std::vector<pipeline::FailedRecord>> failed(std::string_view service, std::string_view location, std::string_view after,
                                                     std::size_t limit) override;
  Result<std::size_t> retry_failed(std::string_view service, std::string_view location, const std::vector<std::string>& ids) override;

 private:
  /// One entry of `extensions`, loaded or failed.
  struct Extension {
    config::ExtensionConfig config;
    std::string file_identity;                          // changes when the plugin's file is replaced
    std::shared_ptr<plugin::ServiceInstance> instance;  // null if it failed
    std::string error;
    control::PluginView failed;  // what is shown then
  };

  struct Backend;
  static Result<std::unique_ptr<Backend>> open_backend(const config::Config& config, const Clock& clock, telemetry::Log& log);

  Application(config::Config config, std::unique_ptr<Clock> clock, std::unique_ptr<telemetry::Log> log, std::unique_ptr<Backend> backend);

  Status build();
  using ExtensionIterator = std::vector<config::ExtensionConfig>::const_iterator;

  Status open_extensions();
  Status open_extension(const config::ExtensionConfig& extension);
  std::vector<config::ExtensionConfig> stale_extensions(const std::vector<config::ExtensionConfig>& wanted) const;
  /// @return whether the node has what is wanted of it.
  bool replace_extension(const config::ExtensionConfig& former, ExtensionIterator changed, ExtensionIterator none);
  std::vector<Extension>::iterator find_extension(std::string_view name);  // by the thread that starts, reloads and stops
  Status close_extensions(std::chrono::milliseconds timeout);
  Status close_extension(const std::string& name, std::chrono::milliseconds timeout);
  control::ServiceSpec service_spec(const config::ExtensionConfig& extension, const plugin::ServiceInstance* instance);
  std::shared_ptr<plugin::ServiceInstance> find_instance(std::string_view service) const;
  void start_serving();

  config::Config config_;
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<telemetry::Log> log_;
  telemetry::Metrics metrics_;
  std::unique_ptr<Backend> backend_;
  WorkerPool control_executor_;   // one thread, so that desired state is handled one thing after the other
  WorkerPool blocking_executor_;  // what else waits for I/O, so that a pause does not wait for it
  WorkerPool workers_;
  rest::Router router_;
  std::unique_ptr<control::ControlPlane> control_;
  std::unique_ptr<plugin::PluginHost> plugin_host_;
  mutable std::mutex extensions_mutex_;
  std::vector<Extension> extensions_;  // written under extensions_mutex_; in the order of their opening
  std::unique_ptr<rest::HttpServer> server_;
  std::atomic<bool> serving_ = false;
  bool stopped_ = false;
};

}  // namespace fermata::app
