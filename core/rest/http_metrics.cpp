#include "rest/http_metrics.hpp"

#include <algorithm>
#include <string>

namespace fermata::rest {

using telemetry::MetricKind;

HttpMetrics::HttpMetrics(telemetry::Metrics& metrics, telemetry::Log& log) {
  const auto make = [&](MetricKind kind, std::string_view name, std::string_view help, const telemetry::Labels& labels) {
    auto series = metrics.series(kind, name, help, labels);
    if (series) return *series;
    log.warn("rest", "a metric is not counted", {{"name", name}, {"error", series.status().text()}});
    return static_cast<telemetry::Series*>(nullptr);
  };
  for (std::size_t method = 0; method < kMethods.size(); ++method)
    for (std::size_t code_class = 0; code_class < kClasses; ++code_class)
      requests_[method][code_class] =
          make(MetricKind::kCounter, "fermata_rest_requests_total", "Requests answered, by method and class of status code.",
               {{"method", std::string(kMethods[method])}, {"code", std::to_string(code_class + 1) + "xx"}});
  latency_ = make(MetricKind::kHistogram, "fermata_rest_request_seconds", "From a request read whole to its answer written.", {});
  connections_ = make(MetricKind::kGauge, "fermata_rest_connections", "Open connections.", {});
  refused_ = make(MetricKind::kCounter, "fermata_rest_refused_total", "Connections refused: peer not allowed, or too many.", {});
}

void HttpMetrics::answered(std::string_view method, int status, std::chrono::nanoseconds latency) {
  const auto known = std::find(kMethods.begin(), kMethods.end() - 1, method);
  const auto code_class = static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1);
  add(requests_[static_cast<std::size_t>(known - kMethods.begin())][code_class], 1);
  add(latency_, std::chrono::duration<double>(latency).count());
}

void HttpMetrics::connections(std::size_t open) { add(connections_, static_cast<double>(open)); }

}  // namespace fermata::rest
