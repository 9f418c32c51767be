#pragma once
// What stands in for an interface, or the newer members of one, that a host does not offer: calls that can fail answer
// kUnimplemented and name the interface, the others do nothing. So Host never has to look for null.

#include <fermata/abi/clock.h>
#include <fermata/abi/executor.h>
#include <fermata/abi/failed.h>
#include <fermata/abi/http.h>
#include <fermata/abi/kv.h>
#include <fermata/abi/log.h>
#include <fermata/abi/metrics.h>
#include <fermata/abi/plugin.h>
#include <fermata/abi/populator.h>
#include <fermata/abi/queue.h>
#include <fermata/sdk/status.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace fermata::sdk::detail {

inline fermata_code absent(const char* interface_name, fermata_error* error) {
  return to_abi(Status(Code::kUnimplemented, std::string("this host does not offer ") + interface_name + "; it needs a newer fermata"),
                error);
}

inline fermata_log_api absent_log() {
  return {sizeof(fermata_log_api), [](void*, int32_t) -> int32_t { return 0; }, [](void*, int32_t, fermata_str, fermata_str) {}};
}

inline fermata_clock_api absent_clock() {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  return {sizeof(fermata_clock_api),
          [](void*) -> int64_t { return duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); },
          [](void*) -> int64_t { return duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }};
}

inline fermata_metrics_api absent_metrics() {
  return {sizeof(fermata_metrics_api),
          [](void*, int32_t, fermata_str, fermata_str, const fermata_label*, size_t, fermata_metric**, fermata_error* error) {
            return absent(FERMATA_METRICS_INTERFACE, error);
          },
          [](fermata_metric*, double) {}};
}

inline fermata_queue_api absent_queue() {
  return {sizeof(fermata_queue_api),
          [](void*, const fermata_processor*, fermata_error* error) { return absent(FERMATA_QUEUE_INTERFACE, error); },
          [](void*, fermata_delivery*, fermata_outcome, fermata_str) {},
          [](void*, fermata_str, fermata_str, fermata_str, fermata_produced, void*, fermata_error* error) {
            return absent(FERMATA_QUEUE_INTERFACE, error);
          },
          [](void*, fermata_str) {}};
}

inline fermata_populator_api absent_populator() {
  return {sizeof(fermata_populator_api),
          [](void*, const fermata_populator*, fermata_error* error) { return absent(FERMATA_POPULATOR_INTERFACE, error); },
          [](void*, fermata_batch*, fermata_str, fermata_str, fermata_error* error) { return absent(FERMATA_POPULATOR_INTERFACE, error); },
          [](void*, fermata_batch*, fermata_code, fermata_str, fermata_str, uint32_t) {}, [](void*, fermata_str) {}};
}

inline fermata_kv_api absent_kv() {
  return {sizeof(fermata_kv_api), [](void*, fermata_str, fermata_str, fermata_error* error) { return absent(FERMATA_KV_INTERFACE, error); },
          [](void*, fermata_str, fermata_error* error) { return absent(FERMATA_KV_INTERFACE, error); },
          [](void*, fermata_str, fermata_sink, void*, fermata_error* error) { return absent(FERMATA_KV_INTERFACE, error); },
          [](void*, fermata_str, fermata_str, uint32_t, fermata_kv_visit, void*, fermata_error* error) {
            return absent(FERMATA_KV_INTERFACE, error);
          }};
}

inline fermata_executor_api absent_executor() {
  return {sizeof(fermata_executor_api), [](void*, fermata_task, void*) {},
          [](void*, uint64_t, fermata_task, void*) -> uint64_t { return 0; }, [](void*, uint64_t) -> int32_t { return 0; }};
}

inline fermata_http_api absent_http() {
  return {
      sizeof(fermata_http_api),
      [](void*, fermata_str, fermata_str, fermata_handler, void*, fermata_error* error) { return absent(FERMATA_HTTP_INTERFACE, error); },
      [](void*, fermata_exchange*, int32_t, fermata_str, fermata_str) {}};
}

inline fermata_failed_api absent_failed() {
  return {sizeof(fermata_failed_api),
          [](void*, fermata_str, fermata_str, uint32_t, fermata_failed_visit, void*, fermata_error* error) {
            return absent(FERMATA_FAILED_INTERFACE, error);
          },
          [](void*, fermata_str, fermata_str, fermata_error* error) { return absent(FERMATA_FAILED_INTERFACE, error); },
          [](void*, fermata_str, fermata_str, fermata_error* error) { return absent(FERMATA_FAILED_INTERFACE, error); }};
}

/// The host's table `name`, with the members that this host does not know taken from `absent`.
template <typename Table>
Table resolve(const fermata_host& host, const char* name, Table absent) {
  const void* found = host.get_interface(host.handle, name);
  if (found == nullptr) return absent;
  uint32_t size = 0;
  std::memcpy(&size, found, sizeof(size));
  std::memcpy(&absent, found, std::min<size_t>(size, sizeof(absent)));
  return absent;
}

}  // namespace fermata::sdk::detail
