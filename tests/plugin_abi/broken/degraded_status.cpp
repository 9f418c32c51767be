#include "zoo.hpp"

namespace {

fermata_code degraded(void*, fermata_str, fermata_sink sink, void* ctx, fermata_error*) {
  sink(ctx, zoo::text(R"({"state":"degraded","message":"the target is slow","details":{"target":"b"}})"));
  return FERMATA_OK;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.status = &degraded;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
