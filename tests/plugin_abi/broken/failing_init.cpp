#include "zoo.hpp"

#include <cstring>

namespace {

fermata_code failing(void*, fermata_str, fermata_error* error) {
  constexpr std::string_view kWhy = "settings.colour contradicts settings.shade";
  std::memcpy(error->text, kWhy.data(), kWhy.size());
  error->text_size = kWhy.size();
  return FERMATA_INVALID_ARGUMENT;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &failing;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
