#include "zoo.hpp"

#include <stdexcept>

namespace {

fermata_code throwing(void*, fermata_str, fermata_error*) { throw std::runtime_error("init's own words"); }

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &throwing;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
