#include "app/cli_commands.hpp"
#include "app/cli_output.hpp"

#include <boost/json.hpp>

#include <ostream>

namespace fermata::app {
namespace {

namespace json = boost::json;

/// The sum of a count over all nodes that run a location.
std::string sum_at(const json::value& location, std::string_view key) {
  std::int64_t sum = 0;
  for (const auto& node : list_at(location, "nodes")) sum += number_at(node, key);
  return std::to_string(sum);
}

/// Why a location is as it is: the operator's words, then what nodes complain about.
std::string note_of(const json::value& location) {
  std::string note;
  const auto append = [&](const std::string& text) {
    if (!text.empty()) note.append(note.empty() ? "" : "; ").append(text);
  };
  if (text_at(location, {"desired", "paused"}) == "true") {
    const auto by = text_at(location, {"desired", "by"});
    append(text_at(location, {"desired", "reason"}) + (by.empty() ? "" : " (by " + by + ")"));
    const auto date = text_at(location, {"desired", "scheduledResume"});
    append(date.empty() ? "" : "resumes at " + date);
  }
  append(text_at(location, {"desiredError"}));
  for (const auto& node : list_at(location, "nodes")) append(text_at(node, {"message"}));
  return note;
}

void add_location(Table& table, const std::string& service, const json::value& location) {
  const bool paused = text_at(location, {"desired", "paused"}) == "true";
  table.add({service, text_at(location, {"name"}), text_at(location, {"state"}), paused ? "paused" : "running",
             sum_at(location, "inFlight"), sum_at(location, "retrying"), sum_at(location, "lag"), text_at(location, {"failed"}),
             note_of(location)});
}

int show_one_location(const ApiClient& api, const std::string& service, const std::string& location) {
  const auto body = api.call("GET", location_path(service, location));
  if (!body) return api.fail(body.status());
  if (api.options().json)
    api.world().out << *body << '\n';
  else
    print_json(api.world().out, parse_or_null(*body));
  return kExitOk;
}

Result<std::vector<std::string>> service_names(const ApiClient& api) {
  const auto body = api.call("GET", "/api/v1/services");
  if (!body) return body.status();
  std::vector<std::string> names;
  const auto value = parse_or_null(*body);
  for (const auto& service : list_at(value, "services")) names.push_back(text_at(service, {"name"}));
  return names;
}

Result<json::value> locations_of(const ApiClient& api, const std::string& service) {
  return api.list(service_path(service, "/locations?limit=1000"), "locations", "after");
}

/// Shows one GET route whose answer is a list.
template <typename AddRow>
int show_list(const ApiClient& api, const std::string& target, std::string_view key, Table table, AddRow add_row) {
  const auto body = api.call("GET", target);
  if (!body) return api.fail(body.status());
  if (api.options().json) {
    api.world().out << *body << '\n';
    return kExitOk;
  }
  const auto value = parse_or_null(*body);
  for (const auto& item : list_at(value, key)) add_row(table, item);
  table.print(api.world().out);
  return kExitOk;
}

// What the node knows may be old then, though it looks well.
void warn_if_not_ready(const ApiClient& api) {
  if (api.options().json) return;
  const auto ready = api.call("GET", "/readyz");
  if (ready.status().code() == Code::kInternal) api.world().err << "warning: this node is not ready: " << ready.status().message() << '\n';
}

}  // namespace

int show_status(const ApiClient& api, const std::string& service, const std::string& location) {
  if (!location.empty() && location != "all") return show_one_location(api, service, location);
  auto services = service.empty() ? service_names(api) : Result(std::vector{service});
  if (!services) return api.fail(services.status());
  Table table({"SERVICE", "LOCATION", "STATE", "WANTED", "IN FLIGHT", "RETRYING", "LAG", "FAILED", "NOTE"});
  json::array all;
  for (const auto& name : *services) {
    const auto answer = locations_of(api, name);
    if (!answer) return api.fail(answer.status());
    for (const auto& one : list_at(*answer, "locations")) add_location(table, name, one);
    all.push_back(json::value{{"name", name}, {"locations", list_at(*answer, "locations")}});
  }
  if (api.options().json)
    api.world().out << json::serialize(service.empty() ? json::value{{"services", std::move(all)}} : all.front()) << '\n';
  else
    table.print(api.world().out);
  warn_if_not_ready(api);
  return kExitOk;
}

int show_plugins(const ApiClient& api) {
  return show_list(
      api, "/api/v1/plugins", "plugins", Table({"SERVICE", "PLUGIN", "VERSION", "ABI", "STATE", "PATH", "ERROR"}),
      [](Table& table, const json::value& plugin) {
        table.add({text_at(plugin, {"service"}), text_at(plugin, {"name"}), text_at(plugin, {"version"}), text_at(plugin, {"abi"}),
                   text_at(plugin, {"state"}), text_at(plugin, {"path"}), text_at(plugin, {"error"})});
      });
}

int show_nodes(const ApiClient& api) {
  warn_if_not_ready(api);
  return show_list(
      api, "/api/v1/nodes", "nodes", Table({"NODE", "ADDRESS", "VERSION", "STARTED AT"}), [](Table& table, const json::value& node) {
        table.add({text_at(node, {"id"}), text_at(node, {"address"}), text_at(node, {"version"}), text_at(node, {"startedAt"})});
      });
}

int show_audit(const ApiClient& api, int limit) {
  return show_list(api, "/api/v1/audit?limit=" + std::to_string(limit), "entries",
                   Table({"AT", "BY", "ACTION", "SERVICE", "LOCATION", "RESUMES AT", "REASON", "NODE"}),
                   [](Table& table, const json::value& entry) {
                     table.add({text_at(entry, {"at"}), text_at(entry, {"by"}), text_at(entry, {"action"}), text_at(entry, {"service"}),
                                text_at(entry, {"location"}), text_at(entry, {"scheduledResume"}), text_at(entry, {"reason"}),
                                text_at(entry, {"node"})});
                   });
}

int show_names(const ApiClient& api, const std::string& service) {
  if (service.empty()) {
    const auto names = service_names(api);
    if (!names) return kExitUnreachable;  // completion says nothing
    for (const auto& name : *names) api.world().out << printable(name) << '\n';
    return kExitOk;
  }
  const auto answer = locations_of(api, service);
  if (!answer) return kExitNotFound;
  for (const auto& location : list_at(*answer, "locations")) api.world().out << printable(text_at(location, {"name"})) << '\n';
  return kExitOk;
}

}  // namespace fermata::app
