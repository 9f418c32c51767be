#include "zoo.hpp"

#include <stdexcept>

ZOO_EXPORT const fermata_plugin* fermata_plugin_entry(void) { throw std::runtime_error("the entry's own words"); }
