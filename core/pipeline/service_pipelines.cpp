#include "pipeline/service_pipelines.hpp"

#include "base/callback_guard.hpp"
#include "pipeline/context.hpp"
#include "pipeline/populator_pipeline.hpp"
#include "pipeline/processor_pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace fermata::pipeline {
namespace {

using telemetry::MetricKind;
using Samples = std::vector<telemetry::Metrics::Sample>;

constexpr std::uint32_t kMaxInFlight = 10'000;
// How long retry_failed waits until what it produced is durable.
constexpr std::chrono::seconds kProduceTimeout{5};
constexpr std::size_t kCloseTogether = 256;
// Failed records produced as one batch: at most 100 MiB of the largest, usually far less.
constexpr std::size_t kRetryBatch = 100;
// How often failed records are counted and stuck ones are looked for.
constexpr std::chrono::milliseconds kRoundInterval{10'000};

void sample_processor(const std::string& service, const ProcessorPipeline& processor, Samples& samples) {
  const ProcessorTotals totals = processor.totals();
  const telemetry::Labels labels = {{"service", service}, {"location", processor.spec().location}, {"processor", processor.spec().name}};
  const auto outcome = [&](const char* name, std::int64_t value) {
    auto with_outcome = labels;
    with_outcome.emplace_back("outcome", name);
    samples.push_back({MetricKind::kCounter, "fermata_processor_records_total", "Deliveries that ended, by how they ended.",
                       std::move(with_outcome), static_cast<double>(value)});
  };
  const auto gauge = [&](const char* name, const char* help, std::int64_t value) {
    samples.push_back({MetricKind::kGauge, name, help, labels, static_cast<double>(value)});
  };
  outcome("done", totals.done);
  outcome("retry", totals.retried);
  outcome("postpone", totals.postponed);
  outcome("failed", totals.failed);
  outcome("skipped", totals.skipped);
  gauge("fermata_processor_in_flight", "Records handed out and not completed.", totals.in_flight);
  gauge("fermata_processor_in_flight_bytes", "Bytes of records handed out and not completed.", totals.in_flight_bytes);
  gauge("fermata_processor_prefetched", "Records read from the queue that wait to be handed out.", totals.prefetched);
  gauge("fermata_processor_prefetched_bytes", "Bytes of records read from the queue that wait to be handed out.", totals.prefetched_bytes);
  gauge("fermata_processor_retrying", "Records that wait for their next attempt.", totals.retrying);
  gauge("fermata_processor_stuck", "Records handed out and not completed for longer than stuck_after.", totals.stuck);
  gauge("fermata_processor_lag", "Records in the queue that are not committed.", totals.lag);
}

void sample_populator(const std::string& service, const PopulatorPipeline& populator, Samples& samples) {
  const PopulatorTotals totals = populator.totals();
  const telemetry::Labels labels = {{"service", service}, {"location", populator.spec().location}, {"populator", populator.spec().name}};
  const auto add = [&](MetricKind kind, const char* name, const char* help, std::int64_t value) {
    samples.push_back({kind, name, help, labels, static_cast<double>(value)});
  };
  add(MetricKind::kCounter, "fermata_populator_records_total", "Records produced, their checkpoint saved.", totals.records);
  add(MetricKind::kCounter, "fermata_populator_batches_total", "Polls whose checkpoint was saved.", totals.batches);
  add(MetricKind::kCounter, "fermata_populator_errors_total", "Polls, batches and checkpoints that failed.", totals.errors);
  add(MetricKind::kGauge, "fermata_populator_active", "1 while this node holds the populator's lease.", totals.active ? 1 : 0);
}

Status require(bool given, std::string_view what, std::string_view name) {
  if (given) return Status::ok();
  return {Code::kInvalidArgument, fmt::format("{} is missing in the registration of '{}'", what, name)};
}

}  // namespace

class ServicePipelines::Impl {
 public:
  Impl(std::string service, std::string state_path, PipelineOptions options, Dependencies dependencies)
      : context_(std::make_shared<Context>(std::move(service), std::move(state_path), options, dependencies)) {}

  Status add(ProcessorSpec spec);
  Status add(PopulatorSpec spec);
  Status start();
  Status stop(std::chrono::milliseconds timeout);
  void close();
  Result<std::size_t> retry_batch(std::string_view location, std::span<const std::string> ids);

  struct Group {
    std::vector<std::shared_ptr<ProcessorPipeline>> processors;
    std::vector<std::shared_ptr<PopulatorPipeline>> populators;
  };
  const Group* find(std::string_view location) const {
    const auto group = groups_.find(location);
    return group == groups_.end() ? nullptr : &group->second;
  }
  void wake(std::string_view name) const {
    const auto populator = populators_.find(name);
    if (populator != populators_.end()) populator->second->wake();
  }
  Context& context() const { return *context_; }

 private:
  // What is done now and then, for all pipelines.
  void round();
  void round_after(std::chrono::nanoseconds delay);
  void collect(Samples& samples) const;
  template <typename Call>
  void for_each(Call call) const;  // call(pipeline), populators first: they feed the processors

  const std::shared_ptr<Context> context_;
  // These do not change after start.
  std::map<std::string, Group, std::less<>> groups_;  // by location; "" for those that never pause
  std::set<std::string, std::less<>> processors_;
  std::map<std::string, std::shared_ptr<PopulatorPipeline>, std::less<>> populators_;
  const std::shared_ptr<CallbackGuard> rounds_ = std::make_shared<CallbackGuard>();
  bool has_rounds_ = false;
  TimerId round_timer_ = 0;          // set by rounds, until they are closed
  std::shared_ptr<void> collector_;  // last, so that it goes first
};

template <typename Call>
void ServicePipelines::Impl::for_each(Call call) const {
  for (const auto& [location, group] : groups_)
    for (const auto& populator : group.populators) call(*populator);
  for (const auto& [location, group] : groups_)
    for (const auto& processor : group.processors) call(*processor);
}

void ServicePipelines::Impl::collect(Samples& samples) const {
  for (const auto& [location, group] : groups_) {
    for (const auto& processor : group.processors) sample_processor(context_->service, *processor, samples);
    for (const auto& populator : group.populators) sample_populator(context_->service, *populator, samples);
    if (!group.processors.empty())
      samples.push_back({MetricKind::kGauge,
                         "fermata_failed_records",
                         "Records in the failed store; the same on all nodes that share it.",
                         {{"service", context_->service}, {"location", location}},
                         static_cast<double>(context_->failed.count(location))});
  }
}

Status ServicePipelines::Impl::add(ProcessorSpec spec) {
  if (auto status = require(!spec.name.empty(), "the processor's name", "?"); !status) return status;
  if (auto status = require(!spec.topic.empty(), "topic", spec.name); !status) return status;
  if (auto status = require(!spec.location.empty() || !spec.group.empty(), "location (or, for one that is never paused, group)", spec.name);
      !status)
    return status;
  if (auto status = require(spec.process != nullptr, "process", spec.name); !status) return status;
  if (spec.max_in_flight > kMaxInFlight)
    return {Code::kInvalidArgument,
            fmt::format("max_in_flight of processor '{}' is {}; at most {}", spec.name, spec.max_in_flight, kMaxInFlight)};
  if (spec.group.empty()) spec.group = fmt::format("{}-{}", context_->service, spec.location);
  if (!processors_.insert(spec.name).second)
    return {Code::kAlreadyExists, fmt::format("service '{}' has a processor '{}' already", context_->service, spec.name)};
  Group& group = groups_[spec.location];
  group.processors.push_back(std::make_shared<ProcessorPipeline>(std::move(spec), context_));
  return Status::ok();
}

Status ServicePipelines::Impl::add(PopulatorSpec spec) {
  if (auto status = require(!spec.name.empty(), "the populator's name", "?"); !status) return status;
  if (auto status = require(!spec.topic.empty(), "topic", spec.name); !status) return status;
  if (auto status = require(spec.poll != nullptr, "poll", spec.name); !status) return status;
  if (populators_.contains(spec.name))
    return {Code::kAlreadyExists, fmt::format("service '{}' has a populator '{}' already", context_->service, spec.name)};
  const auto populator = std::make_shared<PopulatorPipeline>(std::move(spec), context_);
  populators_.emplace(populator->spec().name, populator);
  groups_[populator->spec().location].populators.push_back(populator);
  return Status::ok();
}

// On the control executor, as counting blocks. Long passes of counting take a tenth of its time.
void ServicePipelines::Impl::round() {
  for (const auto& [location, group] : groups_)
    for (const auto& processor : group.processors) processor->look_for_stuck();
  const Clock& clock = context_->deps.clock;
  const SteadyTime began = clock.steady();
  const auto more = context_->failed.count_page();
  if (!more) context_->deps.log.debug("pipeline", "failed records not counted", {{"error", more.status().message()}});
  if (more && *more) return round_after((clock.steady() - began) * 10);
  round_after(std::min(kRoundInterval, context_->options.stuck_after));
}

void ServicePipelines::Impl::round_after(std::chrono::nanoseconds delay) {
  round_timer_ = context_->deps.control.post_after(delay, [this, rounds = rounds_] { rounds->run([this] { round(); }); });
}

Status ServicePipelines::Impl::start() {
  if (!collector_) collector_ = context_->deps.metrics.add_collector([this](Samples& samples) { collect(samples); });
  if (!std::exchange(has_rounds_, true)) context_->deps.control.post([this, rounds = rounds_] { rounds->run([this] { round(); }); });
  for (const auto& [location, group] : groups_)
    for (const auto& processor : group.processors)
      if (auto status = processor->start(); !status)
        return {status.code(), fmt::format("processor '{}' cannot join its group: {}", processor->spec().name, status.message())};
  for (const auto& [name, populator] : populators_) populator->start();
  return Status::ok();
}

Status ServicePipelines::Impl::stop(std::chrono::milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  for_each([](auto& pipeline) { pipeline.set_gate(false); });
  rounds_->close();
  context_->deps.control.cancel(round_timer_);
  std::string stuck;
  for (const auto& [name, populator] : populators_)
    if (!populator->wait_idle(deadline)) stuck += fmt::format("{}a poll of populator '{}'", stuck.empty() ? "" : ", ", name);
  for (const auto& [location, group] : groups_)
    for (const auto& processor : group.processors)
      if (const auto count = processor->wait_idle(deadline); count > 0)
        stuck += fmt::format("{}{} records of processor '{}'", stuck.empty() ? "" : ", ", count, processor->spec().name);
  close();
  if (stuck.empty()) return Status::ok();
  return {Code::kDeadlineExceeded,
          fmt::format("service '{}' did not complete within {} ms: {}", context_->service, timeout.count(), stuck)};
}

// Leaving a group may take seconds when its servers do not answer, so processors leave side by side.
void ServicePipelines::Impl::close() {
  for (const auto& [name, populator] : populators_) populator->close();
  std::vector<std::future<void>> closing;
  for (const auto& [location, group] : groups_)
    for (const auto& processor : group.processors) {
      if (closing.size() == kCloseTogether) closing.clear();  // waits for them
      closing.push_back(std::async(std::launch::async, [&processor] { processor->close(); }));
    }
}

Result<std::size_t> ServicePipelines::Impl::retry_batch(std::string_view location, std::span<const std::string> ids) {
  std::vector<NewRecord> records;
  std::vector<std::string> found;
  for (const auto& id : ids) {
    auto record = context_->failed.get(location, id);
    if (!record) return record.status();
    if (!record->has_value()) continue;
    found.push_back(id);
    records.push_back({std::move((*record)->topic), std::move((*record)->key), std::move((*record)->value)});
  }
  if (found.empty()) return std::size_t{0};
  auto durable = std::make_shared<std::promise<Status>>();
  auto answer = durable->get_future();
  if (auto taken = context_->deps.queue.produce(std::move(records), [durable](const Status& status) { durable->set_value(status); });
      !taken)
    return taken;
  if (answer.wait_for(kProduceTimeout) != std::future_status::ready)
    return Status(Code::kDeadlineExceeded, "the queue did not acknowledge the records in time; they stay in the failed store, retry later");
  if (const Status status = answer.get(); !status) return status;
  for (const auto& id : found)
    if (auto status = context_->failed.remove(location, id); !status) return status;
  return found.size();
}

ServicePipelines::ServicePipelines(std::string service, std::string state_path, PipelineOptions options, Dependencies dependencies)
    : impl_(std::make_unique<Impl>(std::move(service), std::move(state_path), options, dependencies)) {}
ServicePipelines::~ServicePipelines() { (void)impl_->stop(std::chrono::milliseconds(0)); }

Status ServicePipelines::add_processor(ProcessorSpec spec) { return impl_->add(std::move(spec)); }
Status ServicePipelines::add_populator(PopulatorSpec spec) { return impl_->add(std::move(spec)); }
Status ServicePipelines::start() { return impl_->start(); }
Status ServicePipelines::stop(std::chrono::milliseconds timeout) { return impl_->stop(timeout); }

void ServicePipelines::set_gate(std::string_view location, bool open) {
  const auto* group = impl_->find(location);
  if (group == nullptr || location.empty()) return;
  for (const auto& populator : group->populators) populator->set_gate(open);
  for (const auto& processor : group->processors) processor->set_gate(open);
}

LocationCounts ServicePipelines::counts(std::string_view location) const {
  LocationCounts counts;
  const auto* group = impl_->find(location);
  if (group == nullptr) return counts;
  for (const auto& populator : group->populators) populator->add_to(counts);
  for (const auto& processor : group->processors) processor->add_to(counts);
  counts.failed = impl_->context().failed.count(location);
  // Who belongs to no location serves all: its error is theirs, and would be seen nowhere else.
  if (const auto* common = impl_->find({}); common != nullptr && common != group) {
    for (const auto& populator : common->populators) populator->show_error_in(counts);
    for (const auto& processor : common->processors) processor->show_error_in(counts);
  }
  return counts;
}

void ServicePipelines::on_change(std::function<void(std::string_view location)> callback) {
  impl_->context().on_change(std::move(callback));
}
void ServicePipelines::wake_populator(std::string_view name) { impl_->wake(name); }
void ServicePipelines::hurry(std::string_view location) {
  if (const auto* group = impl_->find(location); group != nullptr)
    for (const auto& processor : group->processors) processor->hurry();
}
Status ServicePipelines::produce(std::vector<NewRecord> records, Queue::Produced produced) {
  return impl_->context().deps.queue.produce(std::move(records), std::move(produced));
}

Result<std::vector<FailedRecord>> ServicePipelines::failed(std::string_view location, std::string_view after_id, std::size_t limit) {
  return impl_->context().failed.list(location, after_id, limit);
}

Status ServicePipelines::discard_failed(std::string_view location, std::string_view id) {
  return impl_->context().failed.remove(location, id);
}

Result<std::size_t> ServicePipelines::retry_failed(std::string_view location, const std::vector<std::string>& ids) {
  std::size_t count = 0;
  const std::span<const std::string> all(ids);
  for (std::size_t begin = 0; begin < all.size(); begin += kRetryBatch) {
    const auto retried = impl_->retry_batch(location, all.subspan(begin, std::min(kRetryBatch, all.size() - begin)));
    if (!retried) return Status(retried.status().code(), fmt::format("after {} records: {}", count, retried.status().message()));
    count += *retried;
  }
  return count;
}

}  // namespace fermata::pipeline
