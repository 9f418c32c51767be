#pragma once
// What the interface_*.cpp files share: how a call of a plugin enters the host. Private to this folder.

#include "plugin/fence.hpp"
#include "plugin/host_bridge.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace fermata::plugin {

inline constexpr std::size_t kMaxTextBytes = 1'000;  ///< of reasons and errors that a plugin gives

inline HostBridge& bridge_of(void* host) { return *static_cast<HostBridge*>(host); }

/// Runs `call(bridge)`, which returns a Status, unless the instance is gone; no exception gets back into the plugin.
template <typename Call>
fermata_code enter_host(void* host, fermata_error* error, Call&& call) {
  HostBridge& bridge = bridge_of(host);
  const CallGate::Pass pass(bridge.into_host);
  if (!pass) return sdk::to_abi(Status(Code::kCancelled, "this service instance was stopped"), error);
  return sdk::to_abi(fenced("the host", [&] { return call(bridge); }), error);
}

/// As above, for functions that cannot fail: what goes wrong is logged.
template <typename Call>
void enter_host(void* host, Call&& call) {
  fermata_error error = sdk::make_error();
  const auto code = enter_host(host, &error, [&](HostBridge& bridge) {
    call(bridge);
    return Status::ok();
  });
  if (code != FERMATA_OK && code != FERMATA_CANCELLED) bridge_of(host).log_error(sdk::from_abi(code, error).message());
}

/// The struct of a plugin that may know fewer members than we do; those are zero.
template <typename Struct>
Struct known_part(const Struct& given) {
  Struct known = {};
  std::memcpy(static_cast<void*>(&known), &given, std::min<std::size_t>(given.struct_size, sizeof(known)));
  return known;
}

inline std::string text_of(fermata_str given) { return std::string(sdk::from_abi(given)); }
inline std::string_view short_text(fermata_str given) { return sdk::from_abi(given).substr(0, kMaxTextBytes); }

/// The Status of a call out of the plugin that reports a code, whatever number it is.
inline Status status_of(fermata_code code, std::string_view text) {
  if (code == FERMATA_OK) return {};
  const bool known = code > FERMATA_OK && code <= FERMATA_UNAUTHENTICATED;
  return {known ? static_cast<Code>(code) : Code::kUnknown, std::string(text)};
}

inline HttpResponse unavailable_response(std::string_view service) {
  return {503, "application/json",
          R"({"ServiceUnavailable":true,"code":503,"description":"service ')" + std::string(service) +
              R"(' is not running on this node; try again later"})"};
}

}  // namespace fermata::plugin
