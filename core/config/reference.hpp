#pragma once

#include <string>

namespace fermata::config {

/// docs/reference/configuration.md, from the table of settings.
std::string reference_markdown();

/// config/fermata.schema.json, a JSON Schema for editors, from the same table.
std::string schema_json();

}  // namespace fermata::config
