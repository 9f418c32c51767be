#include "zoo.hpp"

namespace {

fermata_code hanging(void* instance, fermata_str config, fermata_error* error) {
  zoo::init(instance, config, error);
  zoo::hang(static_cast<zoo::Instance*>(instance)->work_dir);
  return FERMATA_OK;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &hanging;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
