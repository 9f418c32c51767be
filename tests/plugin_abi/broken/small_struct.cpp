#include "zoo.hpp"

static constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.struct_size = 16;
  return plugin;
}();
ZOO_ENTRY(kPlugin)
