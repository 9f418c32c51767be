#include "zoo.hpp"

extern "C" fermata_code zoo_nobody_provides_this(void* instance, fermata_error* error);

static constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.stop = &zoo_nobody_provides_this;
  return plugin;
}();
ZOO_ENTRY(kPlugin)
