#pragma once

#include "config/report.hpp"
#include "config/settings.hpp"
#include "config/yaml_tree.hpp"

#include <functional>
#include <map>
#include <string_view>

namespace fermata::config {

/// Reads what one nested key holds.
using NestedReader = std::function<void(const YamlNode& node, const Place& place)>;

/// Reads one section by its table: checks keys, types and bounds and stores the values; whatever is wrong goes to `report`.
/// @param readers  one for each of section.nested. A null value ("rest:" with nothing below) means the defaults.
void read_section(const YamlNode& node, const Place& place, const Section& section, const std::map<std::string_view, NestedReader>& readers,
                  Report& report);

/// "a string", "a map", ...: what stands there, for messages.
std::string_view describe(const YamlNode& node);

}  // namespace fermata::config
