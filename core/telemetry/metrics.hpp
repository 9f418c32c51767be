#pragma once

#include "base/status.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;
enum class MetricKind { kCounter, kGauge, kHistogram };

/// One time series. Owned by Metrics, lives as long as it. Threads: [any], lock-free or nearly so.
class Series {
 public:
  virtual ~Series() = default;
  /// Counter: adds. Gauge: sets. Histogram: observes seconds.
  virtual void record(double value) = 0;
};

/// All metrics of the process, in Prometheus' text format, its own cost (memory, CPU, open files) included. Histograms have
/// buckets from 1 ms to 60 s. Threads: [any].
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Finds or makes a series. kInvalidArgument: bad name; kAlreadyExists: the name is of another kind;
  /// kResourceExhausted: 100,000 series exist. `help` counts when the name is new.
  Result<Series*> series(MetricKind kind, std::string_view name, std::string_view help, const Labels& labels);

  /// One sample that a collector reports.
  struct Sample {
    MetricKind kind;  ///< kCounter or kGauge
    std::string name;
    std::string help;
    Labels labels;
    double value;
  };
  using Collector = std::function<void(std::vector<Sample>& samples)>;
  /// Calls `collector` at each scrape, until the returned token dies: for values that are counted elsewhere. The token's
  /// end waits for a call that runs; a collector must not end its own token. Samples with bad names are left out.
  std::shared_ptr<void> add_collector(Collector collector);

  /// The page of GET /_/monitoring/metrics.
  std::string text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::telemetry
