#include "zoo.hpp"

static constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.name = {"somebody", 8};
  return plugin;
}();
ZOO_ENTRY(kPlugin)
