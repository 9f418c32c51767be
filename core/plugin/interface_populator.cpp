#include "plugin/interface_call.hpp"

#include <fermata/abi/populator.h>
#include <fmt/format.h>

namespace fermata::plugin {
namespace {

constexpr std::size_t kMaxBatchRecords = 1'000;
constexpr std::size_t kMaxBatchBytes = 8u << 20;
constexpr std::size_t kMaxCheckpointBytes = 64u << 10;

using Finish = std::function<void(Result<pipeline::PolledBatch>)>;

struct Populator {
  HostBridge& bridge;
  std::string what;  // for messages
  std::string topic;
  void (*poll)(void* ctx, fermata_str checkpoint, fermata_batch* batch);
  void* ctx;
};

void poll(const Populator& populator, const std::string& checkpoint, Finish finish) {
  HostBridge& bridge = populator.bridge;
  const CallGate::Pass pass(*bridge.into_plugin);
  if (!pass) return finish(Status(Code::kCancelled, "the service is stopping"));
  auto batch = std::make_shared<OpenBatch>();
  batch->topic = populator.topic;
  batch->finish = std::move(finish);
  fermata_batch* const handle = bridge.batches.add(std::move(batch));
  const auto polled = fenced(populator.what, [&] {
    populator.poll(populator.ctx, sdk::to_abi(checkpoint), handle);
    return Status::ok();
  });
  if (polled) return;
  bridge.log_error(polled.message());
  if (const auto open = bridge.batches.take(handle)) (*open)->finish(polled);
}

Status add_populator(HostBridge& bridge, const fermata_populator& given) {
  const fermata_populator raw = known_part(given);
  const std::string name = text_of(raw.name);
  if (!bridge.registering)
    return {Code::kFailedPrecondition, fmt::format("populator '{}' is registered after init; register it within init", name)};
  if (raw.poll == nullptr) return {Code::kInvalidArgument, fmt::format("populator '{}' has no poll function", name)};
  if (raw.location.size > 0 && !bridge.locations.contains(sdk::from_abi(raw.location))) {
    return {Code::kInvalidArgument, fmt::format("populator '{}' is for location '{}', which is not one of the service's locations", name,
                                                sdk::from_abi(raw.location))};
  }
  pipeline::PopulatorSpec spec;
  spec.name = name;
  spec.topic = text_of(raw.topic);
  spec.location = text_of(raw.location);
  spec.poll = [populator = Populator{bridge, bridge.describe(fmt::format("populator '{}'", name)), spec.topic, raw.poll, raw.ctx}](
                  std::string checkpoint, Finish finish) { poll(populator, checkpoint, std::move(finish)); };
  return bridge.deps.pipelines.add_populator(std::move(spec));
}

fermata_code register_populator(void* host, const fermata_populator* populator, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) { return add_populator(bridge, *populator); });
}

Status emit_to(OpenBatch& batch, fermata_str key, fermata_str value) {
  const std::size_t bytes = key.size + value.size;
  if (bytes > kMaxBatchBytes)
    return {Code::kInvalidArgument, fmt::format("a record of {} bytes; at most {} are allowed", bytes, kMaxBatchBytes)};
  const std::lock_guard lock(batch.mutex);
  if (batch.records.size() >= kMaxBatchRecords || batch.bytes + bytes > kMaxBatchBytes)
    return {Code::kResourceExhausted, "the batch is full; finish it and emit this record at the next poll"};
  batch.records.push_back({batch.topic, text_of(key), text_of(value)});
  batch.bytes += bytes;
  return Status::ok();
}

fermata_code emit(void* host, fermata_batch* handle, fermata_str key, fermata_str value, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    const auto batch = bridge.batches.get(handle);
    if (!batch) return {Code::kFailedPrecondition, "this batch is not open: it was finished before"};
    return emit_to(**batch, key, value);
  });
}

Result<pipeline::PolledBatch> polled_batch(OpenBatch& batch, fermata_str next_checkpoint, std::uint32_t idle_ms) {
  if (next_checkpoint.size > kMaxCheckpointBytes)
    return Status(Code::kInvalidArgument,
                  fmt::format("a checkpoint of {} bytes; at most {} are allowed", next_checkpoint.size, kMaxCheckpointBytes));
  const std::lock_guard lock(batch.mutex);
  return pipeline::PolledBatch{std::move(batch.records), text_of(next_checkpoint), std::chrono::milliseconds(idle_ms)};
}

void finish(void* host, fermata_batch* handle, fermata_code code, fermata_str text, fermata_str next_checkpoint, std::uint32_t idle_ms) {
  enter_host(host, [&](HostBridge& bridge) {
    const auto batch = bridge.batches.take(handle);
    if (!batch) return bridge.log_error(bridge.describe("it finished a batch that is not open (twice, or of another instance); ignored"));
    if (code != FERMATA_OK) return (*batch)->finish(status_of(code, short_text(text)));
    (*batch)->finish(polled_batch(**batch, next_checkpoint, idle_ms));
  });
}

void wake(void* host, fermata_str populator_name) {
  enter_host(host, [&](HostBridge& bridge) { bridge.deps.pipelines.wake_populator(sdk::from_abi(populator_name)); });
}

constexpr fermata_populator_api kTable = {sizeof(fermata_populator_api), &register_populator, &emit, &finish, &wake};

}  // namespace

const void* populator_interface() { return &kTable; }

}  // namespace fermata::plugin
