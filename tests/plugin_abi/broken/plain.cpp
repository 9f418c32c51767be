#include "zoo.hpp"

static constexpr fermata_plugin kPlugin = zoo::plugin();
ZOO_ENTRY(kPlugin)
