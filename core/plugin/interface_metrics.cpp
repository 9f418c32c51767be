#include "plugin/interface_call.hpp"

#include <fermata/abi/metrics.h>
#include <fmt/format.h>

namespace fermata::plugin {
namespace {

constexpr std::size_t kMaxLabels = 8;
constexpr std::size_t kMaxSeries = 100'000;

Result<telemetry::Labels> labels_of(const HostBridge& bridge, const fermata_label* labels, std::size_t count) {
  if (count > kMaxLabels) return Status(Code::kInvalidArgument, fmt::format("{} labels; at most {} are allowed", count, kMaxLabels));
  telemetry::Labels all = {{"service", bridge.service}};
  for (std::size_t i = 0; i < count; ++i) {
    all.emplace_back(text_of(labels[i].name), text_of(labels[i].value));
    if (all.back().first == "service") return Status(Code::kInvalidArgument, "the label 'service' is the host's; use another name");
  }
  return all;
}

// Counts what this instance uses; a series that it asks for again is not counted again.
Status admit(HostBridge& bridge, std::string_view name, const telemetry::Labels& labels) {
  std::string key(name);
  for (const auto& [label, value] : labels) key += '\0' + label + '\0' + value;
  const std::lock_guard lock(bridge.mutex);
  if (bridge.series.size() >= kMaxSeries && !bridge.series.contains(key))
    return {Code::kResourceExhausted, fmt::format("this service has {} series already; use fewer label values", kMaxSeries)};
  bridge.series.insert(std::move(key));
  return Status::ok();
}

fermata_code series(void* host, std::int32_t kind, fermata_str name, fermata_str help, const fermata_label* labels, std::size_t label_count,
                    fermata_metric** metric, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (kind < FERMATA_COUNTER || kind > FERMATA_HISTOGRAM)
      return {Code::kInvalidArgument, fmt::format("there is no kind of metric {}", kind)};
    const auto all = labels_of(bridge, labels, label_count);
    if (!all) return all.status();
    if (auto admitted = admit(bridge, sdk::from_abi(name), *all); !admitted) return admitted;
    auto made = bridge.deps.metrics.series(static_cast<telemetry::MetricKind>(kind), sdk::from_abi(name), sdk::from_abi(help), *all);
    if (!made) return made.status();
    *metric = reinterpret_cast<fermata_metric*>(*made);
    return Status::ok();
  });
}
static_assert(static_cast<int>(telemetry::MetricKind::kCounter) == FERMATA_COUNTER);
static_assert(static_cast<int>(telemetry::MetricKind::kHistogram) == FERMATA_HISTOGRAM);

void record(fermata_metric* metric, double value) {
  if (metric != nullptr) reinterpret_cast<telemetry::Series*>(metric)->record(value);
}

constexpr fermata_metrics_api kTable = {sizeof(fermata_metrics_api), &series, &record};

}  // namespace

const void* metrics_interface() { return &kTable; }

}  // namespace fermata::plugin
