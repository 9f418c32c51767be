#include "pipeline/failed_store.hpp"
#include "plugin/interface_call.hpp"

#include <fermata/abi/queue.h>
#include <fmt/format.h>

namespace fermata::plugin {
namespace {

constexpr std::size_t kMaxRecordBytes = 1u << 20;

struct Processor {
  HostBridge& bridge;
  std::string what;  // for messages
  void (*process)(void* ctx, const fermata_record* record, fermata_delivery* delivery);
  void* ctx;
};

void deliver(const Processor& processor, const pipeline::DeliveredRecord& delivered, pipeline::Complete complete) {
  HostBridge& bridge = processor.bridge;
  const CallGate::Pass pass(*bridge.into_plugin);
  if (!pass) return complete(pipeline::Outcome::kRetry, "the service is stopping");
  fermata_delivery* const handle = bridge.deliveries.add(std::move(complete));
  const QueueRecord& from = *delivered.record;
  const std::string id = pipeline::FailedStore::make_id(delivered.topic, from.partition, from.offset);
  const fermata_record record = {sizeof(fermata_record),
                                 delivered.attempt,
                                 sdk::to_abi(delivered.topic),
                                 from.partition,
                                 from.offset,
                                 from.timestamp_ms,
                                 sdk::to_abi(from.key),
                                 sdk::to_abi(from.value),
                                 delivered.last_attempt ? 1u : 0u,
                                 delivered.redelivered ? 1u : 0u,
                                 sdk::to_abi(id)};
  const auto processed = fenced(processor.what, [&] {
    processor.process(processor.ctx, &record, handle);
    return Status::ok();
  });
  if (processed) return;
  bridge.log_error(processed.message());
  if (const auto open = bridge.deliveries.take(handle)) (*open)(pipeline::Outcome::kRetry, processed.message());
}

Status add_processor(HostBridge& bridge, const fermata_processor& given) {
  const fermata_processor raw = known_part(given);
  const std::string name = text_of(raw.name);
  if (!bridge.registering)
    return {Code::kFailedPrecondition, fmt::format("processor '{}' is registered after init; register it within init", name)};
  if (raw.process == nullptr) return {Code::kInvalidArgument, fmt::format("processor '{}' has no process function", name)};
  if (raw.location.size > 0 && !bridge.locations.contains(sdk::from_abi(raw.location))) {
    return {Code::kInvalidArgument, fmt::format("processor '{}' is for location '{}', which is not one of the service's locations", name,
                                                sdk::from_abi(raw.location))};
  }
  pipeline::ProcessorSpec spec;
  spec.name = name;
  spec.topic = text_of(raw.topic);
  spec.location = text_of(raw.location);
  spec.group = text_of(raw.group);
  spec.max_in_flight = raw.max_in_flight;
  spec.process = [processor = Processor{bridge, bridge.describe(fmt::format("processor '{}'", name)), raw.process, raw.ctx}](
                     const pipeline::DeliveredRecord& record, pipeline::Complete complete) {
    deliver(processor, record, std::move(complete));
  };
  return bridge.deps.pipelines.add_processor(std::move(spec));
}

fermata_code register_processor(void* host, const fermata_processor* processor, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) { return add_processor(bridge, *processor); });
}

// An outcome that this host does not know keeps the record.
pipeline::Outcome outcome_of(fermata_outcome outcome) {
  switch (outcome) {
    case FERMATA_DONE: return pipeline::Outcome::kDone;
    case FERMATA_FAILED: return pipeline::Outcome::kFailed;
    case FERMATA_POSTPONE: return pipeline::Outcome::kPostpone;
    default: return pipeline::Outcome::kRetry;
  }
}

void complete(void* host, fermata_delivery* delivery, fermata_outcome outcome, fermata_str text) {
  enter_host(host, [&](HostBridge& bridge) {
    if (const auto open = bridge.deliveries.take(delivery)) return (*open)(outcome_of(outcome), short_text(text));
    bridge.log_error(bridge.describe("it completed a delivery that is not open (twice, or of another instance); ignored"));
  });
}

Queue::Produced report_to(HostBridge& bridge, fermata_produced produced, void* ctx) {
  if (produced == nullptr) return [](const Status&) {};
  return [gate = bridge.into_plugin, &bridge, produced, ctx](const Status& status) {
    const CallGate::Pass pass(*gate);
    if (!pass) return;
    const auto called = fenced(bridge.describe("its callback of produce"), [&] {
      produced(ctx, static_cast<fermata_code>(status.code()), sdk::to_abi(status.message()));
      return Status::ok();
    });
    if (!called) bridge.log_error(called.message());
  };
}

fermata_code produce(void* host, fermata_str topic, fermata_str key, fermata_str value, fermata_produced produced, void* ctx,
                     fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (topic.size == 0) return {Code::kInvalidArgument, "produce needs a topic"};
    if (key.size + value.size > kMaxRecordBytes)
      return {Code::kInvalidArgument, fmt::format("a record of {} bytes; at most {} are allowed", key.size + value.size, kMaxRecordBytes)};
    std::vector<NewRecord> records;
    records.push_back({text_of(topic), text_of(key), text_of(value)});
    return bridge.deps.pipelines.produce(std::move(records), report_to(bridge, produced, ctx));
  });
}

void hurry(void* host, fermata_str location) {
  enter_host(host, [&](HostBridge& bridge) { bridge.deps.pipelines.hurry(sdk::from_abi(location)); });
}

constexpr fermata_queue_api kTable = {sizeof(fermata_queue_api), &register_processor, &complete, &produce, &hurry};

}  // namespace

const void* queue_interface() { return &kTable; }

}  // namespace fermata::plugin
