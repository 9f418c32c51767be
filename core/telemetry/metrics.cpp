#include "telemetry/metrics.hpp"

#include "telemetry/process_metrics.hpp"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

namespace fermata::telemetry {
namespace {

constexpr std::size_t kMaxSeries = 100'000;

const std::vector<double>& bucket_bounds() {
  static const std::vector<double> bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return bounds;
}

class CounterSeries final : public Series {
 public:
  explicit CounterSeries(prometheus::Counter& counter) : counter_(counter) {}
  void record(double value) override {
    if (value > 0) counter_.Increment(value);
  }

 private:
  prometheus::Counter& counter_;
};

class GaugeSeries final : public Series {
 public:
  explicit GaugeSeries(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void record(double value) override { gauge_.Set(value); }

 private:
  prometheus::Gauge& gauge_;
};

class HistogramSeries final : public Series {
 public:
  explicit HistogramSeries(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void record(double value) override {
    if (!std::isnan(value)) histogram_.Observe(value);
  }

 private:
  prometheus::Histogram& histogram_;
};

using LabelMap = std::map<std::string, std::string>;

Status check_names(const std::string& name, const Labels& labels, MetricKind kind) {
  if (!prometheus::CheckMetricName(name))
    return {Code::kInvalidArgument, "metric name '" + name + "': only letters, digits, '_' and ':', not a digit or '__' first"};
  LabelMap seen;
  for (const auto& [label, value] : labels) {
    const bool reserved = kind == MetricKind::kHistogram && label == "le";
    if (!prometheus::CheckLabelName(label) || reserved)
      return {Code::kInvalidArgument, "metric '" + name + "': label name '" + label + "' is not allowed: letters, digits and '_' only"};
    if (!seen.emplace(label, value).second) return {Code::kInvalidArgument, "metric '" + name + "': label '" + label + "' is given twice"};
  }
  return Status::ok();
}

/// The format wants line feeds and backslashes of a help text escaped; the serializer leaves that to us.
std::string escape_help(std::string_view help) {
  std::string escaped;
  for (const char c : help) {
    if (c == '\n')
      escaped += "\\n";
    else if (c == '\\')
      escaped += "\\\\";
    else
      escaped += c;
  }
  return escaped;
}

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter: return prometheus::MetricType::Counter;
    case MetricKind::kGauge: return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric to_client_metric(const Metrics::Sample& sample) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
  (sample.kind == MetricKind::kCounter ? metric.counter.value : metric.gauge.value) = sample.value;
  return metric;
}

/// Adds what collectors reported to the families of the registry. A sample that does not fit is left out: a scrape with
/// one sample missing is better than none.
void merge(const std::vector<Metrics::Sample>& samples, std::vector<prometheus::MetricFamily>& families) {
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t i = 0; i < families.size(); ++i) index.emplace(families[i].name, i);
  for (const auto& sample : samples) {
    if (sample.kind == MetricKind::kHistogram || !check_names(sample.name, sample.labels, sample.kind)) continue;
    const auto [known, is_new] = index.try_emplace(sample.name, families.size());
    if (is_new) families.push_back({sample.name, escape_help(sample.help), type_of(sample.kind), {}});
    auto& family = families[known->second];
    if (family.type == type_of(sample.kind)) family.metric.push_back(to_client_metric(sample));
  }
}

/// A collector, and the gate that lets its owner's end wait for a call that runs.
struct CollectorSlot {
  std::mutex mutex;  // guards call
  Metrics::Collector call;
};

}  // namespace

class Metrics::Impl {
 public:
  Result<Series*> find_or_make(MetricKind kind, const std::string& name, std::string_view help, const Labels& labels) {
    LabelMap label_map(labels.begin(), labels.end());
    const std::lock_guard lock(mutex_);
    const auto [family, is_new] = families_.try_emplace(name, Family{kind, {}});
    if (family->second.kind != kind) return Status(Code::kAlreadyExists, "metric '" + name + "' exists already as another kind");
    if (const auto found = family->second.series.find(label_map); found != family->second.series.end()) return found->second.get();
    if (series_count_ >= kMaxSeries)
      return Status(Code::kResourceExhausted,
                    "metric '" + name + "': there are " + std::to_string(kMaxSeries) + " series; use fewer label values");
    if (is_new) family->second.help = escape_help(help);
    auto series = make(kind, name, family->second.help, label_map);
    ++series_count_;
    return family->second.series.emplace(std::move(label_map), std::move(series)).first->second.get();
  }

  std::shared_ptr<void> add_collector(Collector collector) {
    auto slot = std::make_shared<CollectorSlot>();
    slot->call = std::move(collector);
    const std::lock_guard lock(mutex_);
    std::erase_if(collectors_, [](const auto& weak) { return weak.expired(); });
    collectors_.push_back(slot);
    return {slot.get(), [slot](void*) {
              const std::lock_guard gate(slot->mutex);
              slot->call = nullptr;
            }};
  }

  std::vector<Sample> collect() const {
    std::vector<std::shared_ptr<CollectorSlot>> slots;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& weak : collectors_)
        if (auto slot = weak.lock()) slots.push_back(std::move(slot));
    }
    std::vector<Sample> samples;
    collect_process(samples);
    for (const auto& slot : slots) {
      const std::lock_guard gate(slot->mutex);
      if (slot->call) slot->call(samples);
    }
    return samples;
  }

  std::vector<prometheus::MetricFamily> families() const { return registry_.Collect(); }

 private:
  struct Family {
    MetricKind kind;
    std::string help;
    std::map<LabelMap, std::unique_ptr<Series>> series = {};
  };

  std::unique_ptr<Series> make(MetricKind kind, const std::string& name, const std::string& help, const LabelMap& labels) {
    const prometheus::Labels own_labels(labels.begin(), labels.end());
    switch (kind) {
      case MetricKind::kCounter:
        return std::make_unique<CounterSeries>(prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(own_labels));
      case MetricKind::kGauge:
        return std::make_unique<GaugeSeries>(prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(own_labels));
      case MetricKind::kHistogram: break;
    }
    return std::make_unique<HistogramSeries>(
        prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(own_labels, bucket_bounds()));
  }

  prometheus::Registry registry_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Family> families_;
  std::size_t series_count_ = 0;
  std::vector<std::weak_ptr<CollectorSlot>> collectors_;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Result<Series*> Metrics::series(MetricKind kind, std::string_view name, std::string_view help, const Labels& labels) {
  const std::string own_name(name);
  if (auto checked = check_names(own_name, labels, kind); !checked) return checked;
  return impl_->find_or_make(kind, own_name, help, labels);
}

std::shared_ptr<void> Metrics::add_collector(Collector collector) { return impl_->add_collector(std::move(collector)); }

std::string Metrics::text() const {
  const auto samples = impl_->collect();
  auto families = impl_->families();
  merge(samples, families);
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace fermata::telemetry
