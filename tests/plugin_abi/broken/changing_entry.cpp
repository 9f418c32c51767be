// An entry that is not pure: another struct at every call.
#include "zoo.hpp"

static constexpr fermata_plugin kPlugins[] = {zoo::plugin(), zoo::plugin()};
ZOO_EXPORT const fermata_plugin* fermata_plugin_entry(void) {
  static int calls = 0;
  return &kPlugins[calls++ % 2];
}
