#include "plugin/manifest.hpp"

#include "plugin/elf_file.hpp"

#include <fermata/abi/plugin.h>
#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

namespace fermata::plugin {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxNameBytes = 64;

// Reads the members of one JSON object and keeps the first thing that is wrong.
class Reader {
 public:
  Reader(const json::object& object, std::string where) : object_(object), where_(std::move(where)) {}

  std::string string(std::string_view key, std::optional<std::string> fallback = {}) {
    const json::value* value = find(key, fallback.has_value());
    if (value == nullptr) return fallback.value_or("");
    if (value->is_string()) return {value->as_string().data(), value->as_string().size()};
    fail(key, "must be a string");
    return "";
  }
  std::uint32_t number(std::string_view key) {
    const json::value* value = find(key, false);
    if (value == nullptr) return 0;
    boost::system::error_code error;
    const auto number = value->to_number<std::uint32_t>(error);
    if (error) fail(key, "must be a whole number");
    return number;
  }
  bool boolean(std::string_view key, bool fallback) {
    const json::value* value = find(key, true);
    if (value == nullptr) return fallback;
    if (value->is_bool()) return value->as_bool();
    fail(key, "must be true or false");
    return fallback;
  }
  std::string object_text(std::string_view key) {
    const json::value* value = find(key, true);
    if (value == nullptr) return "{}";
    if (!value->is_object()) fail(key, "must be an object");
    return json::serialize(*value);
  }
  const json::object* object(std::string_view key) {
    const json::value* value = find(key, false);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) fail(key, "must be an object");
    return value->if_object();
  }
  const json::array* array(std::string_view key, bool optional) {
    const json::value* value = find(key, optional);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) fail(key, "must be a list");
    return value->if_array();
  }
  void fail(std::string_view key, std::string_view what) {
    if (status_.is_ok()) status_ = Status(Code::kInvalidArgument, fmt::format("manifest: {}{} {}", where_, key, what));
  }
  const Status& status() const { return status_; }

 private:
  const json::value* find(std::string_view key, bool optional) {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr && !optional) fail(key, "is missing");
    return value;
  }

  const json::object& object_;
  std::string where_;
  Status status_;
};

bool is_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), allowed);
}
constexpr std::string_view kNameRule = "must be 1 to 64 of a-z 0-9 - _";

// The members of a list that must all be objects.
Status for_each_object(const json::array& array, std::string_view what,
                       const std::function<Status(const json::object&, std::string)>& visit) {
  for (std::size_t i = 0; i < array.size(); ++i) {
    const std::string where = fmt::format("{}[{}]", what, i);
    if (!array[i].is_object()) return {Code::kInvalidArgument, fmt::format("manifest: {} must be an object", where)};
    if (auto visited = visit(array[i].as_object(), where + "."); !visited) return visited;
  }
  return Status::ok();
}

Status read_commands(const json::array& array, const std::string& where, std::vector<control::CommandSpec>& commands) {
  return for_each_object(array, where + "commands", [&commands](const json::object& object, std::string here) {
    Reader reader(object, std::move(here));
    commands.push_back({reader.string("name"), reader.string("method", "GET"), reader.string("path"), reader.string("summary", "")});
    if (!is_name(commands.back().name)) reader.fail("name", kNameRule);
    return reader.status();
  });
}

Result<ServiceManifest> read_service(const json::object& object, const std::string& where) {
  Reader reader(object, where);
  ServiceManifest service;
  service.name = reader.string("name");
  service.state_name = reader.string("state_name", service.name);
  service.topic = reader.string("topic", "backbeat-" + service.state_name);
  service.paused_at_first = reader.boolean("paused_at_first", false);
  service.settings_schema_json = reader.object_text("settings_schema");
  service.location_schema_json = reader.object_text("location_schema");
  const json::array* commands = reader.array("commands", true);
  if (!is_name(service.name)) reader.fail("name", kNameRule);
  if (!is_name(service.state_name)) reader.fail("state_name", kNameRule);
  if (service.topic.empty()) reader.fail("topic", "must not be empty");
  if (!reader.status()) return reader.status();
  if (commands != nullptr)
    if (auto read = read_commands(*commands, where, service.commands); !read) return read;
  return service;
}

Status read_services(const json::array& array, std::vector<ServiceManifest>& services) {
  std::set<std::string> names;
  return for_each_object(array, "services", [&](const json::object& object, const std::string& where) {
    auto service = read_service(object, where);
    if (!service) return service.status();
    if (!names.insert(service->name).second)
      return Status(Code::kInvalidArgument, fmt::format("manifest: there are two services named '{}'", service->name));
    services.push_back(std::move(*service));
    return Status::ok();
  });
}

Status refuse(const std::string& file, std::string_view what, Code code = Code::kInvalidArgument) {
  return {code, fmt::format("plugin file '{}' {}", file, what)};
}

Status check_symbols(const std::string& file, const ElfFacts& facts) {
  if (std::find(facts.exported.begin(), facts.exported.end(), FERMATA_ENTRY_SYMBOL) == facts.exported.end())
    return refuse(file, "does not export '" FERMATA_ENTRY_SYMBOL
                        "', which a Fermata plugin must; build it with fermata_add_plugin and FERMATA_PLUGIN");
  if (!facts.gnu_unique.empty()) {
    return refuse(
        file, fmt::format("exports the GNU-unique symbol '{}', which would be shared with other plugins and keep versions from living side "
                          "by side; build it with fermata_add_plugin, or with -fno-gnu-unique and hidden visibility",
                          facts.gnu_unique.front()));
  }
  if (!facts.manifest)
    return refuse(file, "has no ELF section '" FERMATA_MANIFEST_SECTION
                        "', so nothing says what it is; build it with fermata_add_plugin(... MANIFEST manifest.json)");
  return Status::ok();
}

}  // namespace

const ServiceManifest* Manifest::service(std::string_view service_name) const {
  const auto found =
      std::find_if(services.begin(), services.end(), [service_name](const auto& service) { return service.name == service_name; });
  return found == services.end() ? nullptr : &*found;
}

Result<Manifest> parse_manifest(std::string_view text) {
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return Status(Code::kInvalidArgument, fmt::format("manifest: not JSON: {}", error.message()));
  if (!document.is_object()) return Status(Code::kInvalidArgument, "manifest: must be a JSON object");

  Manifest manifest;
  Reader reader(document.as_object(), "");
  manifest.name = reader.string("name");
  manifest.version = reader.string("version");
  manifest.description = reader.string("description", "");
  const json::object* abi = reader.object("abi");
  const json::array* services = reader.array("services", false);
  if (!is_name(manifest.name)) reader.fail("name", kNameRule);
  if (services != nullptr && services->empty()) reader.fail("services", "must name at least one service");
  if (!reader.status()) return reader.status();

  Reader versions(*abi, "abi.");
  manifest.abi_major = versions.number("major");
  manifest.abi_minor = versions.number("minor");
  if (!versions.status()) return versions.status();
  if (manifest.abi_major != FERMATA_ABI_MAJOR) return manifest;  // its services may be written in a way we do not know
  if (auto read = read_services(*services, manifest.services); !read) return read;
  return manifest;
}

Result<Manifest> read_manifest(const std::string& file) {
  const auto facts = read_elf(file);
  if (!facts) return facts.status();
  if (auto checked = check_symbols(file, *facts); !checked) return checked;
  auto manifest = parse_manifest(*facts->manifest);
  if (!manifest)
    return refuse(file, fmt::format("has an unusable {}; correct its manifest.json and build it again", manifest.status().message()));
  if (manifest->abi_major != FERMATA_ABI_MAJOR) {
    return refuse(
        file,
        fmt::format(
            "speaks ABI {}.{}, but this host speaks ABI {}.{}: the majors must be equal; build the plugin with the SDK of this host's "
            "major, or use a host of the plugin's",
            manifest->abi_major, manifest->abi_minor, FERMATA_ABI_MAJOR, FERMATA_ABI_MINOR),
        Code::kFailedPrecondition);
  }
  return manifest;
}

}  // namespace fermata::plugin
