#include "plugin/interface_call.hpp"

#include <fermata/abi/kv.h>
#include <fmt/format.h>

namespace fermata::plugin {
namespace {

constexpr std::size_t kMaxKeyBytes = 4'096;
constexpr std::size_t kMaxValueBytes = 256u << 10;
constexpr std::size_t kScanPage = 500;  // entries held in memory at one time

Status check_key(fermata_str key) {
  if (key.size >= 1 && key.size <= kMaxKeyBytes) return Status::ok();
  return {Code::kInvalidArgument, fmt::format("a key of {} bytes; 1 to {} are allowed", key.size, kMaxKeyBytes)};
}

// The space is the service's name, so no plugin can name another's entries.

fermata_code put(void* host, fermata_str key, fermata_str value, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (auto checked = check_key(key); !checked) return checked;
    if (value.size > kMaxValueBytes)
      return {Code::kInvalidArgument, fmt::format("a value of {} bytes; at most {} are allowed", value.size, kMaxValueBytes)};
    return bridge.deps.kv.put(bridge.service, sdk::from_abi(key), sdk::from_abi(value));
  });
}

fermata_code remove(void* host, fermata_str key, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (auto checked = check_key(key); !checked) return checked;
    return bridge.deps.kv.remove(bridge.service, sdk::from_abi(key));
  });
}

fermata_code get(void* host, fermata_str key, fermata_sink sink, void* sink_ctx, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    if (auto checked = check_key(key); !checked) return checked;
    const auto found = bridge.deps.kv.get(bridge.service, sdk::from_abi(key));
    if (!found) return found.status();
    if (!found->has_value()) return {Code::kNotFound, "no such key"};
    sink(sink_ctx, sdk::to_abi(**found));
    return Status::ok();
  });
}

Status scan_pages(HostBridge& bridge, std::string_view prefix, std::string after, std::size_t limit, fermata_kv_visit visit, void* ctx) {
  while (limit > 0) {
    const std::size_t page = std::min(limit, kScanPage);
    const auto entries = bridge.deps.kv.scan(bridge.service, prefix, after, page);
    if (!entries) return entries.status();
    for (const auto& [key, value] : *entries)
      if (visit(ctx, sdk::to_abi(key), sdk::to_abi(value)) == 0) return Status::ok();
    if (entries->size() < page) return Status::ok();
    limit -= page;
    after = entries->back().first;
  }
  return Status::ok();
}

fermata_code scan(void* host, fermata_str prefix, fermata_str after, std::uint32_t limit, fermata_kv_visit visit, void* ctx,
                  fermata_error* error) {
  return enter_host(host, error,
                    [&](HostBridge& bridge) { return scan_pages(bridge, sdk::from_abi(prefix), text_of(after), limit, visit, ctx); });
}

constexpr fermata_kv_api kTable = {sizeof(fermata_kv_api), &put, &remove, &get, &scan};

}  // namespace

const void* kv_interface() { return &kTable; }

}  // namespace fermata::plugin
