#include "zoo.hpp"

#include <stdexcept>

namespace {

fermata_code throwing(void*, fermata_str, fermata_error*) { throw std::runtime_error("pause's own words"); }

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.pause = &throwing;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
