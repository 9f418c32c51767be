#include "plugin/interface_call.hpp"

#include <fermata/abi/failed.h>
#include <fmt/format.h>

namespace fermata::plugin {
namespace {

constexpr std::uint32_t kMaxListed = 1'000;

Status check_location(const HostBridge& bridge, fermata_str location) {
  if (location.size == 0 || bridge.locations.contains(sdk::from_abi(location))) return Status::ok();
  return {Code::kNotFound, fmt::format("'{}' is not one of the service's locations", sdk::from_abi(location))};
}

fermata_code list(void* host, fermata_str location, fermata_str after_id, std::uint32_t limit, fermata_failed_visit visit, void* ctx,
                  fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (auto checked = check_location(bridge, location); !checked) return checked;
    if (limit < 1 || limit > kMaxListed)
      return {Code::kInvalidArgument, fmt::format("limit is {}; 1 to {} are allowed", limit, kMaxListed)};
    const auto records = bridge.deps.pipelines.failed(sdk::from_abi(location), sdk::from_abi(after_id), limit);
    if (!records) return records.status();
    for (const auto& record : *records) {
      const auto failed_at = std::chrono::duration_cast<std::chrono::milliseconds>(record.failed_at.time_since_epoch());
      const fermata_failed_record raw = {sizeof(fermata_failed_record), record.attempts,         sdk::to_abi(record.id),
                                         sdk::to_abi(record.topic),     sdk::to_abi(record.key), sdk::to_abi(record.value),
                                         sdk::to_abi(record.reason),    failed_at.count()};
      if (visit(ctx, &raw) == 0) break;
    }
    return Status::ok();
  });
}

fermata_code retry(void* host, fermata_str location, fermata_str id, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (auto checked = check_location(bridge, location); !checked) return checked;
    const auto retried = bridge.deps.pipelines.retry_failed(sdk::from_abi(location), {text_of(id)});
    if (!retried) return retried.status();
    if (*retried == 0) return {Code::kNotFound, fmt::format("no failed record '{}'", sdk::from_abi(id))};
    return Status::ok();
  });
}

fermata_code discard(void* host, fermata_str location, fermata_str id, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (auto checked = check_location(bridge, location); !checked) return checked;
    return bridge.deps.pipelines.discard_failed(sdk::from_abi(location), sdk::from_abi(id));
  });
}

constexpr fermata_failed_api kTable = {sizeof(fermata_failed_api), &list, &retry, &discard};

}  // namespace

const void* failed_interface() { return &kTable; }

}  // namespace fermata::plugin
