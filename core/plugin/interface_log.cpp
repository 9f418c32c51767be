#include "plugin/interface_call.hpp"

#include <fermata/abi/log.h>

#include <algorithm>

namespace fermata::plugin {
namespace {

constexpr std::size_t kMaxLineBytes = 8u << 10;

telemetry::Level level_of(std::int32_t level) {
  return static_cast<telemetry::Level>(std::clamp<std::int32_t>(level, FERMATA_LOG_DEBUG, FERMATA_LOG_ERROR));
}
static_assert(static_cast<int>(telemetry::Level::kDebug) == FERMATA_LOG_DEBUG);
static_assert(static_cast<int>(telemetry::Level::kError) == FERMATA_LOG_ERROR);

std::int32_t enabled(void* host, std::int32_t level) {
  const CallGate::Pass pass(bridge_of(host).into_host);
  return pass && bridge_of(host).deps.log.enabled(level_of(level)) ? 1 : 0;
}

void write(void* host, std::int32_t level, fermata_str location, fermata_str message) {
  enter_host(host, [&](HostBridge& bridge) {
    const auto line = sdk::from_abi(message).substr(0, kMaxLineBytes);
    if (location.size == 0) return bridge.deps.log.write(level_of(level), bridge.component, line);
    bridge.deps.log.write(level_of(level), bridge.component, line, {{"location", sdk::from_abi(location)}});
  });
}

constexpr fermata_log_api kTable = {sizeof(fermata_log_api), &enabled, &write};

}  // namespace

const void* log_interface() { return &kTable; }

}  // namespace fermata::plugin
