#include "zoo.hpp"

ZOO_EXPORT int zoo_something_else(void) { return 1; }

static constexpr fermata_plugin kPlugin = zoo::plugin();
ZOO_ENTRY(kPlugin)
