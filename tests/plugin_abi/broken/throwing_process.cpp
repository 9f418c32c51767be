// Throws at the first attempt of every record.
#include "zoo.hpp"

#include <stdexcept>

namespace {

void process(void* instance, const fermata_record* record, fermata_delivery* delivery) {
  if (record->attempt == 1) throw std::runtime_error("process's own words");
  zoo::complete(instance, delivery, FERMATA_DONE);
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &zoo::init_with<&process>;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
