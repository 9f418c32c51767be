#include "zoo.hpp"

namespace {

void process(void* instance, const fermata_record*, fermata_delivery* delivery) { zoo::complete(instance, delivery, FERMATA_DONE); }

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &zoo::init_with<&process>;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
