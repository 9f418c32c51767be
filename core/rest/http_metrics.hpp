#pragma once

#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace fermata::rest {

/// What the server counts. Every series is made at start, so that a request only adds. Threads: [any].
class HttpMetrics {
 public:
  /// A series that cannot be made is logged and not counted.
  HttpMetrics(telemetry::Metrics& metrics, telemetry::Log& log);

  void answered(std::string_view method, int status, std::chrono::nanoseconds latency);
  void connections(std::size_t open);
  void refused() { add(refused_, 1); }

 private:
  static constexpr std::array<std::string_view, 7> kMethods{"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "other"};
  static constexpr std::size_t kClasses = 5;  // 1xx to 5xx

  static void add(telemetry::Series* series, double value) {
    if (series != nullptr) series->record(value);
  }

  std::array<std::array<telemetry::Series*, kClasses>, kMethods.size()> requests_{};
  telemetry::Series* latency_ = nullptr;
  telemetry::Series* connections_ = nullptr;
  telemetry::Series* refused_ = nullptr;
};

}  // namespace fermata::rest
