#pragma once

#include "base/status.hpp"
#include "plugin/manifest.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

/// A JSON value that `schema_json` accepts: the first of the `examples` at its root, or made from defaults, constants,
/// enumerations, bounds and required members. "{work_dir}" within a string stands for `work_dir`.
/// kNotFound, saying how to give an example, if what can be made is not accepted.
Result<std::string> sample_value(std::string_view schema_json, const std::string& work_dir);

/// The configuration of a service as `init` takes it, with sample settings and one sample location, named "check" unless
/// the sample has a name.
struct SampleConfig {
  std::string config_json;
  std::string location;
};
Result<SampleConfig> sample_config(const ServiceManifest& service, const std::string& work_dir);

/// Puts `settings_json` in the place of the settings of `sample`.
std::string with_settings(const SampleConfig& sample, std::string_view settings_json);

/// For each member of the settings that the schema describes, copies of `settings_json` in which it has a value of
/// another kind: at least one of each group should be refused.
struct WrongSettings {
  std::string member;
  std::vector<std::string> settings_json;
};
std::vector<WrongSettings> wrong_settings(std::string_view schema_json, std::string_view settings_json);

}  // namespace fermata::plugin
