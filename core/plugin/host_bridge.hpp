#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/strand.hpp"
#include "pipeline/service_pipelines.hpp"
#include "plugin/call_gate.hpp"
#include "plugin/handle_table.hpp"
#include "ports/http_routes.hpp"
#include "ports/key_value_store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <fermata/abi/http.h>
#include <fermata/abi/plugin.h>
#include <fermata/abi/populator.h>
#include <fermata/abi/queue.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

/// A poll that a populator has not finished.
struct OpenBatch {
  std::string topic;
  std::function<void(Result<pipeline::PolledBatch>)> finish;
  std::mutex mutex;  // guards all below
  std::vector<NewRecord> records;
  std::size_t bytes = 0;
};

/// The host as one service instance sees it: the function tables of <fermata/abi/*.h>, brought to the core's pipelines,
/// stores, executor and routes. Each table has a file of its own, interface_<name>.cpp.
///
/// Threads:   [any], like the ABI. Errors: nothing throws into a plugin; whatever a plugin throws into us is caught.
/// Lifecycle: construct -> plugin's init -> end_registration -> ... -> stop_callbacks -> plugin's destroy -> close.
///            Once closed every call of the plugin does nothing and is FERMATA_CANCELLED: what a plugin leaves running
///            by mistake is harmless.
class HostBridge {
 public:
  struct Dependencies {
    pipeline::ServicePipelines& pipelines;
    KeyValueStore& kv;
    Executor& workers;
    const Clock& clock;
    telemetry::Log& log;
    telemetry::Metrics& metrics;
    HttpRoutes& routes;
  };

  HostBridge(std::string plugin, std::string service, std::set<std::string, std::less<>> locations, Dependencies dependencies);
  ~HostBridge();
  HostBridge(const HostBridge&) = delete;
  HostBridge& operator=(const HostBridge&) = delete;

  const fermata_host* abi() const { return &host_; }

  /// init is over: processors, populators and routes can no longer be registered.
  void end_registration() { registering = false; }
  /// Until then, and after it was withdrawn, the service's routes answer 503.
  void serve_routes(bool serving) { serving_routes = serving; }

  /// After it returned true no task, record, poll, request or callback enters the plugin. False if one is still inside
  /// after `timeout`. Requests that it has not answered are answered 503.
  bool stop_callbacks(std::chrono::milliseconds timeout);
  /// False if a call of the plugin is still inside the host after `timeout`.
  bool close(std::chrono::milliseconds timeout);
  /// Closed, and nothing is on its way in or out.
  bool at_rest() const { return into_plugin->at_rest() && into_host.at_rest(); }

  // For the interfaces.

  /// "plugin 'crr' of service 'crr': <what>"
  std::string describe(std::string_view what) const;
  void log_error(std::string_view message) const { deps.log.error(component, message); }

  const std::string plugin;
  const std::string service;
  const std::string component;  ///< of log lines: "plugin/<service>"
  const std::set<std::string, std::less<>> locations;
  const Dependencies deps;

  /// Tasks and callbacks that others keep may run after this bridge is gone; they hold the gate and look there first.
  const std::shared_ptr<CallGate> into_plugin = std::make_shared<CallGate>();
  CallGate into_host;
  std::atomic<bool> registering{true};
  std::atomic<bool> serving_routes{false};

  HandleTable<fermata_delivery, pipeline::Complete> deliveries;
  HandleTable<fermata_batch, std::shared_ptr<OpenBatch>> batches;
  HandleTable<fermata_exchange, Respond> exchanges;
  /// Runs the plugin's HTTP handlers, one at a time: one that hangs costs one worker, and the routes of its service only.
  const Strand handlers;

  std::mutex mutex;                         // guards all below
  std::set<std::string> series;             ///< name and labels of those that the plugin asked for
  std::map<std::uint64_t, TimerId> timers;  ///< the plugin's id of a timer -> ours, 0 while it is being made
  std::uint64_t last_timer = 0;

 private:
  fermata_host host_;
};

// The tables; constant, the same for every instance.
const void* log_interface();
const void* clock_interface();
const void* metrics_interface();
const void* queue_interface();
const void* populator_interface();
const void* kv_interface();
const void* executor_interface();
const void* http_interface();
const void* failed_interface();

/// Cancels what is pending; part of stop_callbacks.
void cancel_timers(HostBridge& bridge);

}  // namespace fermata::plugin
