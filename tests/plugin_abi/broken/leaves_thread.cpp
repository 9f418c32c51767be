// Starts a thread that nothing ever joins.
#include "zoo.hpp"

#include <pthread.h>

namespace {

void* sleep_on(void*) {
  while (true) pause();
}

fermata_code start(void*, fermata_error*) {
  pthread_t thread;
  return pthread_create(&thread, nullptr, &sleep_on, nullptr) == 0 ? FERMATA_OK : FERMATA_INTERNAL;
}

constexpr fermata_plugin kPlugin = [] {
  auto plugin = zoo::plugin();
  plugin.start = &start;
  return plugin;
}();

}  // namespace

ZOO_ENTRY(kPlugin)
