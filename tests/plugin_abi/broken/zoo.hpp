#pragma once
// A plugin that does everything right and nothing else, over the bare ABI. Each file beside this one replaces the one part
// that it does wrong. ZOO_NAME is the plugin's name; its one service is "zoo".

#include <fermata/abi/log.h>
#include <fermata/abi/plugin.h>
#include <fermata/abi/queue.h>
#include <unistd.h>

#include <string>
#include <string_view>

#define ZOO_EXPORT extern "C" __attribute__((visibility("default")))
#define ZOO_ENTRY(plugin) \
  ZOO_EXPORT const fermata_plugin* fermata_plugin_entry(void) { return &(plugin); }

namespace zoo {

struct Instance {
  const fermata_host* host;
  std::string work_dir;
};

inline fermata_str text(std::string_view from) { return {from.data(), from.size()}; }
inline std::string_view view(fermata_str from) { return {from.data, from.size}; }

inline std::string member(std::string_view json, std::string_view key) {
  const std::string before = "\"" + std::string(key) + "\":\"";
  const auto at = json.find(before);
  if (at == std::string_view::npos) return "";
  const auto begin = at + before.size();
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

/// Hangs until the test makes the file "release" in the work directory: a hang that lets the test end cleanly.
inline void hang(const std::string& work_dir) {
  while (access((work_dir + "/release").c_str(), F_OK) != 0) usleep(2'000);
}

inline fermata_code create(const fermata_host* host, fermata_str, void** instance, fermata_error*) {
  *instance = new Instance{host, {}};
  return FERMATA_OK;
}
inline void destroy(void* instance) { delete static_cast<Instance*>(instance); }
inline fermata_code init(void* instance, fermata_str config, fermata_error*) {
  static_cast<Instance*>(instance)->work_dir = member(view(config), "work_dir");
  return FERMATA_OK;
}
inline fermata_code nothing(void*, fermata_error*) { return FERMATA_OK; }
inline fermata_code nothing_for(void*, fermata_str, fermata_error*) { return FERMATA_OK; }
inline fermata_code healthy(void*, fermata_str, fermata_sink sink, void* ctx, fermata_error*) {
  sink(ctx, text("{}"));
  return FERMATA_OK;
}

constexpr fermata_plugin plugin() {
  return {sizeof(fermata_plugin),
          1,
          0,
          {ZOO_NAME, sizeof(ZOO_NAME) - 1},
          {"1.0.0", 5},
          &create,
          &destroy,
          &init,
          &nothing,
          &nothing,
          &nothing_for,
          &nothing_for,
          &healthy};
}

using Process = void (*)(void* ctx, const fermata_record* record, fermata_delivery* delivery);

inline const fermata_queue_api& queue(const fermata_host* host) {
  return *static_cast<const fermata_queue_api*>(host->get_interface(host->handle, FERMATA_QUEUE_INTERFACE));
}

/// init with one processor, "worker", of topic "zoo" at location "a".
template <Process process>
fermata_code init_with(void* instance, fermata_str config, fermata_error* error) {
  init(instance, config, error);
  const fermata_host* host = static_cast<Instance*>(instance)->host;
  const fermata_processor processor = {sizeof(fermata_processor), 0, text("worker"), text("zoo"), text("a"), {}, instance, process};
  return queue(host).register_processor(host->handle, &processor, error);
}

inline void complete(void* instance, fermata_delivery* delivery, fermata_outcome outcome) {
  const fermata_host* host = static_cast<Instance*>(instance)->host;
  queue(host).complete(host->handle, delivery, outcome, {});
}

}  // namespace zoo
