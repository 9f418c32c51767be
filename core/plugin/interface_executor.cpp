#include "plugin/interface_call.hpp"

#include <fermata/abi/executor.h>

#include <chrono>

namespace fermata::plugin {
namespace {

constexpr std::uint64_t kMaxDelayMs = 30ull * 24 * 3'600'000;

void run(HostBridge& bridge, fermata_task task, void* ctx) {
  const auto ran = fenced(bridge.describe("a task that it posted"), [&] {
    task(ctx);
    return Status::ok();
  });
  if (!ran) bridge.log_error(ran.message());
}

void post(void* host, fermata_task task, void* ctx) {
  enter_host(host, [&](HostBridge& bridge) {
    bridge.deps.workers.post([gate = bridge.into_plugin, &bridge, task, ctx] {
      const CallGate::Pass pass(*gate);
      if (pass) run(bridge, task, ctx);
    });
  });
}

// A plugin's timers have ids of its own, so that it cannot cancel anybody else's. Whoever takes the id out of the map,
// the firing timer or cancel, decides.
std::optional<TimerId> claim(HostBridge& bridge, std::uint64_t id) {
  const std::lock_guard lock(bridge.mutex);
  const auto timer = bridge.timers.find(id);
  if (timer == bridge.timers.end()) return std::nullopt;
  const TimerId ours = timer->second;
  bridge.timers.erase(timer);
  return ours;
}

std::uint64_t start_timer(HostBridge& bridge, std::uint64_t delay_ms, fermata_task task, void* ctx) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(bridge.mutex);
    id = ++bridge.last_timer;
    bridge.timers.emplace(id, 0);
  }
  const TimerId ours = bridge.deps.workers.post_after(std::chrono::milliseconds(std::min(delay_ms, kMaxDelayMs)),
                                                      [gate = bridge.into_plugin, &bridge, id, task, ctx] {
                                                        const CallGate::Pass pass(*gate);
                                                        if (pass && claim(bridge, id)) run(bridge, task, ctx);
                                                      });
  const std::lock_guard lock(bridge.mutex);
  if (const auto timer = bridge.timers.find(id); timer != bridge.timers.end()) timer->second = ours;
  return id;
}

std::uint64_t post_after(void* host, std::uint64_t delay_ms, fermata_task task, void* ctx) {
  std::uint64_t id = UINT64_MAX;  // of no timer: an instance that is gone starts none
  enter_host(host, [&](HostBridge& bridge) { id = start_timer(bridge, delay_ms, task, ctx); });
  return id;
}

std::int32_t cancel(void* host, std::uint64_t timer_id) {
  bool cancelled = false;
  enter_host(host, [&](HostBridge& bridge) {
    const auto ours = claim(bridge, timer_id);
    cancelled = ours.has_value();
    if (cancelled) bridge.deps.workers.cancel(*ours);
  });
  return cancelled ? 1 : 0;
}

constexpr fermata_executor_api kTable = {sizeof(fermata_executor_api), &post, &post_after, &cancel};

}  // namespace

const void* executor_interface() { return &kTable; }

void cancel_timers(HostBridge& bridge) {
  std::map<std::uint64_t, TimerId> pending;
  {
    const std::lock_guard lock(bridge.mutex);
    pending.swap(bridge.timers);
  }
  for (const auto& [id, ours] : pending) bridge.deps.workers.cancel(ours);
}

}  // namespace fermata::plugin
