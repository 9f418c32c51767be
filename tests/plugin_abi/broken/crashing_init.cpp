#include "zoo.hpp"

#include <csignal>

namespace {

fermata_code crashing(void*, fermata_str, fermata_error*) {
  std::signal(SIGSEGV, SIG_DFL);  // also where a sanitizer would catch it
  std::raise(SIGSEGV);
  return FERMATA_OK;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.init = &crashing;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
