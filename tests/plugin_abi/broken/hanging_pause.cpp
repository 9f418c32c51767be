#include "zoo.hpp"

namespace {

fermata_code hanging(void* instance, fermata_str location, fermata_error*) {
  if (zoo::view(location) == "a") zoo::hang(static_cast<zoo::Instance*>(instance)->work_dir);
  return FERMATA_OK;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.pause = &hanging;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
