#include "plugin/host_bridge.hpp"

#include "plugin/interface_call.hpp"

#include <fermata/abi/clock.h>
#include <fermata/abi/executor.h>
#include <fermata/abi/failed.h>
#include <fermata/abi/kv.h>
#include <fermata/abi/log.h>
#include <fermata/abi/metrics.h>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace fermata::plugin {
namespace {

struct NamedInterface {
  std::string_view name;
  const void* (*table)();
};

constexpr std::array<NamedInterface, 9> kInterfaces = {{
    {FERMATA_LOG_INTERFACE, &log_interface},
    {FERMATA_CLOCK_INTERFACE, &clock_interface},
    {FERMATA_METRICS_INTERFACE, &metrics_interface},
    {FERMATA_QUEUE_INTERFACE, &queue_interface},
    {FERMATA_POPULATOR_INTERFACE, &populator_interface},
    {FERMATA_KV_INTERFACE, &kv_interface},
    {FERMATA_EXECUTOR_INTERFACE, &executor_interface},
    {FERMATA_HTTP_INTERFACE, &http_interface},
    {FERMATA_FAILED_INTERFACE, &failed_interface},
}};

const void* get_interface(void*, const char* name) {
  if (name == nullptr) return nullptr;
  for (const auto& offered : kInterfaces)
    if (offered.name == name) return offered.table();
  return nullptr;
}

}  // namespace

HostBridge::HostBridge(std::string plugin_name, std::string service_name, std::set<std::string, std::less<>> location_names,
                       Dependencies dependencies)
    : plugin(std::move(plugin_name)),
      service(std::move(service_name)),
      component("plugin/" + service),
      locations(std::move(location_names)),
      deps(dependencies),
      handlers(deps.workers),
      host_{sizeof(fermata_host), FERMATA_ABI_MAJOR, FERMATA_ABI_MINOR, this, &get_interface} {}

HostBridge::~HostBridge() = default;

std::string HostBridge::describe(std::string_view what) const {
  return fmt::format("plugin '{}' of service '{}': {}", plugin, service, what);
}

bool HostBridge::stop_callbacks(std::chrono::milliseconds timeout) {
  serving_routes = false;
  cancel_timers(*this);
  const bool left = into_plugin->close(timeout);
  for (auto& respond : exchanges.take_all()) respond(unavailable_response(service));
  return left;
}

bool HostBridge::close(std::chrono::milliseconds timeout) { return into_host.close(timeout); }

}  // namespace fermata::plugin
