#pragma once
// The function table of a C++ plugin: fermata_plugin's members in terms of ServiceExtension, each behind a fence.

#include <fermata/abi/plugin.h>
#include <fermata/sdk/detail/fence.hpp>
#include <fermata/sdk/service_extension.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace fermata::sdk {

/// How to make the extension of one service; made by service<T>(name).
struct ServiceFactory {
  std::string_view name;
  std::unique_ptr<ServiceExtension> (*make)();
};

namespace detail {

/// One service instance. The extension goes first, then the Host whose closures may hold deliveries.
struct Instance {
  explicit Instance(const fermata_host* raw) : host(raw) {}

  Host host;
  std::unique_ptr<ServiceExtension> extension;
};

inline std::string json_quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.append({'\\', c});
    } else if (byte < 0x20) {
      quoted.append("\\u00").append({kHex[byte >> 4], kHex[byte & 15]});
    } else {
      quoted.push_back(c);
    }
  }
  quoted.push_back('"');
  return quoted;
}

/// The JSON object that fermata_plugin.status writes.
inline std::string to_json(const LocationStatus& status) {
  std::string json = "{";
  const auto add = [&json](std::string_view name, std::string_view value) {
    if (json.size() > 1) json += ',';
    json.append(1, '"').append(name).append("\":").append(value);
  };
  if (status.state == LocationStatus::State::kFailed) add("state", "\"failed\"");
  if (status.state == LocationStatus::State::kDegraded) add("state", "\"degraded\"");
  if (!status.message.empty()) add("message", json_quoted(status.message));
  if (!status.details_json.empty()) add("details", status.details_json);
  json += '}';
  return json;
}

/// kServices: an array of ServiceFactory with static storage, one entry per service of the manifest.
template <const auto& kServices>
struct PluginFunctions {
  static fermata_code create(const fermata_host* host, fermata_str service, void** instance, fermata_error* error) {
    return to_abi(fenced([&]() -> Status {
                    if (host->abi_major != FERMATA_ABI_MAJOR)
                      return {Code::kFailedPrecondition, "this plugin speaks ABI " + std::to_string(FERMATA_ABI_MAJOR) +
                                                             ", the host speaks ABI " + std::to_string(host->abi_major) +
                                                             ": rebuild the plugin against the host's SDK"};
                    std::string known;
                    for (const ServiceFactory& factory : kServices) {
                      if (factory.name != from_abi(service)) {
                        known += " '" + std::string(factory.name) + "'";
                        continue;
                      }
                      auto made = std::make_unique<Instance>(host);
                      made->extension = factory.make();
                      *instance = made.release();
                      return Status::ok();
                    }
                    return {Code::kNotFound, "the plugin has no service '" + std::string(from_abi(service)) + "'; it has" + known};
                  }),
                  error);
  }

  // A destructor that throws ends the process, as anywhere in C++; there is nothing to fence.
  static void destroy(void* instance) { delete static_cast<Instance*>(instance); }

  static fermata_code init(void* instance, fermata_str config, fermata_error* error) {
    auto& self = *static_cast<Instance*>(instance);
    return to_abi(fenced([&] { return self.extension->init(self.host, from_abi(config)); }), error);
  }
  static fermata_code start(void* instance, fermata_error* error) {
    return to_abi(fenced([&] { return extension(instance).start(); }), error);
  }
  static fermata_code stop(void* instance, fermata_error* error) {
    return to_abi(fenced([&] { return extension(instance).stop(); }), error);
  }
  static fermata_code pause(void* instance, fermata_str location, fermata_error* error) {
    return to_abi(fenced([&] { return extension(instance).pause(from_abi(location)); }), error);
  }
  static fermata_code resume(void* instance, fermata_str location, fermata_error* error) {
    return to_abi(fenced([&] { return extension(instance).resume(from_abi(location)); }), error);
  }
  static fermata_code status(void* instance, fermata_str location, fermata_sink sink, void* sink_ctx, fermata_error* error) {
    return to_abi(fenced([&] {
                    const std::string json = to_json(extension(instance).status(from_abi(location)));
                    sink(sink_ctx, to_abi(json));
                    return Status::ok();
                  }),
                  error);
  }

  static constexpr fermata_plugin table(std::string_view name, std::string_view version) {
    return {sizeof(fermata_plugin),
            FERMATA_ABI_MAJOR,
            FERMATA_ABI_MINOR,
            {name.data(), name.size()},
            {version.data(), version.size()},
            &create,
            &destroy,
            &init,
            &start,
            &stop,
            &pause,
            &resume,
            &status};
  }

 private:
  static ServiceExtension& extension(void* instance) { return *static_cast<Instance*>(instance)->extension; }
};

}  // namespace detail
}  // namespace fermata::sdk
