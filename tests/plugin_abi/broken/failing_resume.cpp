// Refuses to resume until the file "release" is in its work directory.
#include "zoo.hpp"

namespace {

void process(void* instance, const fermata_record*, fermata_delivery* delivery) { zoo::complete(instance, delivery, FERMATA_DONE); }

fermata_code refusing(void* instance, fermata_str, fermata_error*) {
  return access((static_cast<zoo::Instance*>(instance)->work_dir + "/release").c_str(), F_OK) == 0 ? FERMATA_OK
                                                                                                   : FERMATA_FAILED_PRECONDITION;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &zoo::init_with<&process>;
  plugin.resume = &refusing;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
