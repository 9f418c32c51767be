#include "config/config.hpp"

#include <boost/json.hpp>

namespace fermata::config {
namespace {

bool same_json(const std::string& a, const std::string& b) { return a == b || boost::json::parse(a) == boost::json::parse(b); }

bool same_location(const LocationConfig& a, const LocationConfig& b) {
  return a.name == b.name && a.paused == b.paused && same_json(a.json, b.json);
}

}  // namespace

std::string Problem::text() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  text += ": ";
  if (!path.empty()) text += path + ": ";
  return text + message;
}

bool ExtensionConfig::operator==(const ExtensionConfig& other) const {
  return name == other.name && plugin == other.plugin && required == other.required && pipeline == other.pipeline &&
         same_json(settings_json, other.settings_json) &&
         std::equal(locations.begin(), locations.end(), other.locations.begin(), other.locations.end(), same_location);
}

int Config::line_of(std::string_view json_pointer) const {
  while (true) {
    if (const auto found = lines.find(json_pointer); found != lines.end()) return found->second;
    const auto slash = json_pointer.rfind('/');
    if (slash == std::string_view::npos) return 1;
    json_pointer = json_pointer.substr(0, slash);
  }
}

}  // namespace fermata::config
