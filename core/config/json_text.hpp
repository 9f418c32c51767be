#pragma once

#include "config/report.hpp"
#include "config/yaml_tree.hpp"

#include <string>
#include <string_view>

namespace fermata::config {

/// What only a plugin understands, as JSON: quoted scalars, and those with a ${..} reference, are strings; plain ones are
/// what YAML 1.2's core schema says. Remembers the line of every value; problems go to `report`.
/// @param skip  a key of the outermost map that is left out.
std::string json_text(const YamlNode& node, const Place& place, Report& report, std::string_view skip = {});

}  // namespace fermata::config
