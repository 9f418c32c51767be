// The manifest says ABI 1, the entry 2.
#include "zoo.hpp"

static constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.abi_major = 2;
  return plugin;
}();
ZOO_ENTRY(kPlugin)
