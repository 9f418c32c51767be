#pragma once

#include "base/status.hpp"
#include "control/types.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

struct ServiceManifest {
  std::string name;
  std::string state_name;  ///< default: name
  std::string topic;       ///< default: "backbeat-<state_name>"
  bool paused_at_first = false;
  std::string settings_schema_json;  ///< JSON Schema of `settings`; "{}" accepts anything
  std::string location_schema_json;  ///< JSON Schema of one entry of `locations`
  std::vector<control::CommandSpec> commands;
};

/// What a plugin says of itself, read from its file without running its code.
struct Manifest {
  std::string name;
  std::string version;
  std::string description;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::vector<ServiceManifest> services;

  const ServiceManifest* service(std::string_view service_name) const;
};

/// kInvalidArgument naming what is wrong. The services of another ABI major are not read.
Result<Manifest> parse_manifest(std::string_view json);

/// Reads the manifest section of a shared object and checks what can be checked without running it: it is ELF for this
/// machine, exports the entry, exports no GNU-unique symbols, and the ABI major is ours. The message names the file, both
/// sides and the fix.
Result<Manifest> read_manifest(const std::string& file);

/// One value that a schema refuses.
struct SchemaProblem {
  std::string pointer;  ///< JSON pointer within the value
  std::string message;
};
/// Everything that `schema_json` refuses in `value_json`; empty: valid.
std::vector<SchemaProblem> validate(std::string_view schema_json, std::string_view value_json);

}  // namespace fermata::plugin
