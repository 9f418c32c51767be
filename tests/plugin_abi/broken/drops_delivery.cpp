#include "zoo.hpp"

namespace {

void process(void*, const fermata_record*, fermata_delivery*) {}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &zoo::init_with<&process>;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
