// Starts only when the file "release" is in its work directory.
#include "zoo.hpp"

namespace {

fermata_code refusing(void* instance, fermata_error*) {
  return access((static_cast<zoo::Instance*>(instance)->work_dir + "/release").c_str(), F_OK) == 0 ? FERMATA_OK : FERMATA_UNAVAILABLE;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.start = &refusing;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
