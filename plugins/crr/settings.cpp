#include "settings.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <filesystem>
#include <optional>
#include <utility>

namespace fermata::crr {
namespace {

namespace json = boost::json;

/// "500ms", "30s", "5m", "6h", "7d".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  for (const auto& [name, factor] : kUnits)
    if (error == std::errc() && number >= 0 && number <= 1'000'000'000 && unit == name) return std::chrono::milliseconds(number * factor);
  return std::nullopt;
}

Status read_duration(const json::object& journal, std::string_view name, std::chrono::milliseconds least, std::chrono::milliseconds most,
                     std::chrono::milliseconds& out) {
  const auto* value = journal.if_contains(name);
  if (value == nullptr) return Status::ok();
  const auto parsed = value->is_string() ? parse_duration(value->get_string()) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most)
    return {Code::kInvalidArgument, "settings.journal." + std::string(name) + ": must be a duration from " + std::to_string(least.count()) +
                                        "ms to " + std::to_string(most.count()) + "ms, such as \"200ms\", \"30s\" or \"1h\""};
  out = *parsed;
  return Status::ok();
}

Status read_journal(const json::object& settings, JournalSettings& out) {
  using std::chrono::milliseconds;
  const auto* journal = settings.if_contains("journal");
  if (journal == nullptr) return Status::ok();
  if (!journal->is_object()) return {Code::kInvalidArgument, "settings.journal: must be an object"};
  if (auto status =
          read_duration(journal->get_object(), "rescan_interval", milliseconds(1'000), milliseconds(7LL * 86'400'000), out.rescan_interval);
      !status)
    return status;
  return read_duration(journal->get_object(), "settle", milliseconds(0), milliseconds(60'000), out.settle);
}

/// The path without dots, double and trailing slashes and, as far as it exists, symbolic links; empty if it is not absolute.
std::string canonical(const json::value& path) {
  if (!path.is_string() || !path.get_string().starts_with("/")) return {};
  std::error_code ignored;
  const std::filesystem::path given(std::string(path.get_string()));
  auto found = std::filesystem::weakly_canonical(given, ignored);
  if (ignored) found = given.lexically_normal();
  std::string text = found.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

/// Roots within each other would replicate replicas.
Status check_apart(const Settings& settings) {
  const auto with_slash = [](const std::string& path) { return path == "/" ? path : path + "/"; };
  std::vector<std::pair<std::string, std::string>> roots{{with_slash(settings.source_path), "settings.source"}};
  for (const auto& location : settings.locations) roots.emplace_back(with_slash(location.path), "locations[" + location.name + "]");
  std::sort(roots.begin(), roots.end());
  for (std::size_t i = 1; i < roots.size(); ++i) {
    const auto& [outer, outer_name] = roots[i - 1];
    const auto& [inner, inner_name] = roots[i];
    if (inner.starts_with(outer))
      return {Code::kInvalidArgument, inner_name + ".path: " + inner + " lies within " + outer_name + ".path, " + outer +
                                          "; source and locations need directories apart from each other"};
  }
  return Status::ok();
}

Status read_filesystem(const json::object& from, const std::string& name, std::string& path) {
  const auto* type = from.if_contains("type");
  if (type == nullptr || *type != "filesystem") return {Code::kInvalidArgument, name + ".type: must be \"filesystem\""};
  const auto* value = from.if_contains("path");
  path = value == nullptr ? std::string() : canonical(*value);
  if (path.empty()) return {Code::kInvalidArgument, name + ".path: must be an absolute path, such as \"/srv/objects\""};
  return Status::ok();
}

Status read_locations(const json::array& locations, Settings& out) {
  for (const auto& entry : locations) {
    LocationSettings location;
    location.name = entry.as_object().at("name").as_string();
    if (location.name.find_first_of(std::string_view(",/\0", 3)) != std::string::npos || location.name.size() > 255)
      return {Code::kInvalidArgument, "locations[" + location.name + "].name: must have at most 255 bytes and no comma or slash"};
    if (auto status = read_filesystem(entry.as_object(), "locations[" + location.name + "]", location.path); !status) return status;
    out.locations.push_back(std::move(location));
  }
  return Status::ok();
}

Result<Settings> read(const json::object& config) {
  Settings out;
  const auto& settings = config.at("settings").as_object();
  if (!settings.contains("source") || !settings.at("source").is_object())
    return Status(Code::kInvalidArgument, "settings.source: is missing; write {\"type\": \"filesystem\", \"path\": \"/srv/objects\"}");
  if (auto status = read_filesystem(settings.at("source").get_object(), "settings.source", out.source_path); !status) return status;
  if (auto status = read_journal(settings, out.journal); !status) return status;
  if (const auto* workers = settings.if_contains("workers")) {
    const auto* number = workers->if_int64();
    if (number == nullptr || *number < 1 || *number > 64)
      return Status(Code::kInvalidArgument, "settings.workers: must be a number from 1 to 64");
    out.workers = static_cast<std::size_t>(*number);
  }
  if (auto status = read_locations(config.at("locations").as_array(), out); !status) return status;
  if (auto status = check_apart(out); !status) return status;
  return out;
}

}  // namespace

std::vector<std::string> Settings::location_names() const {
  std::vector<std::string> names;
  for (const auto& location : locations) names.push_back(location.name);
  return names;
}

Result<Settings> parse_settings(std::string_view config_json) {
  try {
    return read(json::parse(config_json).as_object());
  } catch (const std::exception& error) {
    return Status(Code::kInvalidArgument, std::string("the configuration cannot be read: ") + error.what());
  }
}

}  // namespace fermata::crr
