#include "app/cli_commands.hpp"
#include "app/cli_output.hpp"
#include "base/percent.hpp"

#include <boost/json.hpp>

#include <ostream>

namespace fermata::app {
namespace {

namespace json = boost::json;

/// "photos/a b.jpg" -> "photos/a%20b.jpg": "/" stays, so that a route's "*" sees the parts.
std::string encode_segments(std::string_view argument) {
  std::string encoded;
  while (true) {
    const auto slash = argument.find('/');
    encoded += percent_encode(argument.substr(0, slash));
    if (slash == std::string_view::npos) return encoded;
    encoded += '/';
    argument.remove_prefix(slash + 1);
  }
}

const json::value* find_named(const json::array& list, std::string_view key, std::string_view name) {
  for (const auto& item : list)
    if (text_at(item, {key}) == name) return &item;
  return nullptr;
}

std::string commands_text(const json::value& plugin) {
  std::string text;
  for (const auto& command : list_at(plugin, "commands")) {
    text.append("\n  ").append(text_at(command, {"name"}));
    if (text_at(command, {"path"}).find("{argument}") != std::string::npos) text += " ARGUMENT";
    text.append("  ").append(text_at(command, {"summary"}));
  }
  return text;
}

int usage(const ApiClient& api, const std::string& message, const json::value& plugin) {
  const auto commands = commands_text(plugin);
  api.world().err << "fermata: " << printable(message) << (commands.empty() ? "; it has no commands" : "; its commands are:" + commands)
                  << '\n';
  return kExitUsage;
}

bool has_failed(const json::value& plugin) { return text_at(plugin, {"state"}) == "failed"; }

int say_failed(const ApiClient& api, const std::string& service, const json::value& plugin) {
  const auto why = text_at(plugin, {"error"});
  return api.fail({Code::kInternal, "service '" + service + "' failed: " + (why.empty() ? "see the daemon's log" : why)});
}

int run(const ApiClient& api, const json::value& plugin, const json::value& command, const std::string& argument) {
  constexpr std::string_view kArgument = "{argument}";
  std::string path = text_at(command, {"path"});
  if (const auto at = path.find(kArgument); at != std::string::npos) path.replace(at, kArgument.size(), encode_segments(argument));
  const auto method = text_at(command, {"method"});
  const auto service = text_at(plugin, {"service"});
  const auto answer = api.call(method, service_path(service, "/" + path));
  // A failed service may still answer some; what it cannot answer has the service's reason.
  if (!answer && answer.status().code() == Code::kInternal && has_failed(plugin)) return say_failed(api, service, plugin);
  if (!answer) return api.fail(answer.status());
  const auto value = parse_or_null(*answer);
  if (api.options().json || value.is_null())
    api.world().out << *answer << '\n';
  else if (method == "GET" || !api.options().quiet)
    print_json(api.world().out, value);
  return kExitOk;
}

}  // namespace

int run_service_command(const ApiClient& api, const std::string& service, const std::string& name, const std::string& argument) {
  const auto body = api.call("GET", "/api/v1/plugins");
  if (!body) return api.fail(body.status());
  const auto value = parse_or_null(*body);
  const auto* plugin = find_named(list_at(value, "plugins"), "service", service);
  if (plugin == nullptr)
    return api.fail({Code::kNotFound,
                     "'" + service + "' is neither a command nor a service of the daemon; see `fermata --help` and `fermata plugins`"});
  const auto& commands = list_at(*plugin, "commands");
  if (commands.empty() && has_failed(*plugin)) return say_failed(api, service, *plugin);  // its commands are not known
  if (name.empty()) return usage(api, "'" + service + "' is a service", *plugin);
  const auto* command = find_named(commands, "name", name);
  if (command == nullptr) return usage(api, "service '" + service + "' has no command '" + name + "'", *plugin);
  const bool wants_argument = text_at(*command, {"path"}).find("{argument}") != std::string::npos;
  if (wants_argument == argument.empty())
    return usage(api, "'" + service + " " + name + "' takes " + (wants_argument ? "an argument" : "no argument"), *plugin);
  return run(api, *plugin, *command, argument);
}

}  // namespace fermata::app
