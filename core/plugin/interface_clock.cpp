#include "plugin/interface_call.hpp"

#include <fermata/abi/clock.h>

#include <chrono>

namespace fermata::plugin {
namespace {

template <typename Time>
std::int64_t nanoseconds(Time time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

std::int64_t unix_ns(void* host) { return nanoseconds(bridge_of(host).deps.clock.now()); }
std::int64_t monotonic_ns(void* host) { return nanoseconds(bridge_of(host).deps.clock.steady()); }

constexpr fermata_clock_api kTable = {sizeof(fermata_clock_api), &unix_ns, &monotonic_ns};

}  // namespace

const void* clock_interface() { return &kTable; }

}  // namespace fermata::plugin
