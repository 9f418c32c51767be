#include "zoo.hpp"

ZOO_EXPORT const fermata_plugin* fermata_plugin_entry(void) { return nullptr; }
