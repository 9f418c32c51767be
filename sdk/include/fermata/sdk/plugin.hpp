#pragma once
// Exports a plugin written in C++:
//
//   FERMATA_PLUGIN("hello", "1.0.0", fermata::sdk::service<Hello>("hello"))
//
// once per shared object, at namespace scope, outside any namespace. Name, version and services must equal the manifest's.

#include <fermata/sdk/detail/plugin_functions.hpp>

namespace fermata::sdk {

/// The service `name`, implemented by `Extension`: a ServiceExtension with a default constructor, which does no I/O.
/// @param name  a literal, or anything else that lives as long as the program.
template <typename Extension>
constexpr ServiceFactory service(std::string_view name) {
  return {name, []() -> std::unique_ptr<ServiceExtension> { return std::make_unique<Extension>(); }};
}

}  // namespace fermata::sdk

/// FERMATA_PLUGIN(name, version, service<T>(..)...): defines the one exported function. Its table is a constant, so calling
/// the entry runs no constructor and changes nothing.
#define FERMATA_PLUGIN(plugin_name, plugin_version, ...)                                                                              \
  namespace fermata_plugin_definition {                                                                                               \
  static constexpr ::fermata::sdk::ServiceFactory kServices[] = {__VA_ARGS__};                                                        \
  static constexpr ::fermata_plugin kPlugin = ::fermata::sdk::detail::PluginFunctions<kServices>::table(plugin_name, plugin_version); \
  }                                                                                                                                   \
  extern "C" FERMATA_EXPORT const ::fermata_plugin* fermata_plugin_entry(void) { return &fermata_plugin_definition::kPlugin; }
