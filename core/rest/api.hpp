#pragma once

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "control/control_plane.hpp"
#include "pipeline/service_pipelines.hpp"
#include "ports/fanout.hpp"
#include "ports/queue.hpp"
#include "ports/state_store.hpp"
#include "rest/router.hpp"
#include "telemetry/metrics.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fermata::rest {

/// What the routes need to know of the process beyond the control plane; `app` implements it. Threads: [any].
class HostView {
 public:
  virtual ~HostView() = default;
  virtual std::vector<control::PluginView> plugins() const = 0;
  /// Not ready: why, one sentence per reason ("state store: ... since ..."). Empty: ready.
  virtual std::vector<std::string> not_ready() const = 0;
  // These block for I/O: call them on ApiDependencies::executor. kNotFound: no such service here.
  virtual Result<std::vector<pipeline::FailedRecord>> failed(std::string_view service, std::string_view location, std::string_view after,
                                                             std::size_t limit) = 0;
  virtual Result<std::size_t> retry_failed(std::string_view service, std::string_view location, const std::vector<std::string>& ids) = 0;
};

struct ApiDependencies {
  control::ControlPlane& control;
  HostView& host;
  StateStore& store;
  Fanout& fanout;
  Queue& queue;
  telemetry::Metrics& metrics;
  Executor& executor;  ///< for what blocks; not the control executor, which must not wait for a queue that is away
  const Clock& clock;
  bool embedded = true;  ///< what healthcheck says of ZooKeeper and Kafka is then made up of the embedded adapters
};

/// Backbeat's routes (WIRE section 1) under /_/backbeat/api/ and /_/.
void add_backbeat_routes(Router& router, ApiDependencies dependencies);
/// /api/v1/..., /openapi.json, /livez, /readyz.
void add_v1_routes(Router& router, ApiDependencies dependencies);

}  // namespace fermata::rest
