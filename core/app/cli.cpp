#include "app/cli_commands.hpp"
#include "app/cli_world.hpp"
#include "base/time_format.hpp"
#include "base/units.hpp"
#include "config/reference.hpp"
#include "config/suggest.hpp"

#include <CLI/CLI.hpp>

#include <ostream>

namespace fermata::app {
namespace {

constexpr int kMaxHours = 87'600;

std::string check_duration(const std::string& text) {
  return parse_duration(text) ? "" : "'" + text + "' is not a duration; write it like 500ms, 30s, 5m, 6h, 7d";
}

std::string check_date(const std::string& text) {
  return parse_rfc3339(text) ? "" : "'" + text + "' is not a date; write it like 2026-11-23T02:00:00+01:00";
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  app.add_option("--url", options.url, "Where the daemon listens")->envname("FERMATA_URL")->capture_default_str();
  app.add_flag("--json", options.json, "Print what the API says, as JSON");
  app.add_flag("-q,--quiet", options.quiet, "Do not confirm what succeeded");
}

/// The grammar of the command line, and the command that was chosen. The callbacks only note what to run: nothing happens
/// before the whole line has been read.
class CommandLine {
 public:
  explicit CommandLine(const CliWorld& world) : world_(world), api_(world, options_) {
    app_.name("fermata");
    app_.fallthrough();
    add_global_options(app_, options_);
    add_control_commands();
    add_show_commands();
    add_file_commands();
    app_.footer(
        "fermata SERVICE COMMAND [ARGUMENT] runs a command that the service's plugin declares.\n"
        "Exit codes: 0 ok, 1 failed or not converged, 2 usage, 3 daemon not reachable, 4 not found, 5 refused.");
    app_.prefix_command();
  }

  int run(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
      app_.parse(arguments);
      if (!action_) return run_rest();
    } catch (const CLI::ParseError& error) {
      return app_.exit(error, world_.out, world_.err) == 0 ? kExitOk : kExitUsage;
    }
    if (const auto rest = app_.remaining(true); !rest.empty()) return refuse("'" + rest.front() + "' is not expected here");
    return action_();
  }

 private:
  CLI::App* command(CLI::App& group, const char* name, const char* summary, std::function<int()> action) {
    auto* added = group.add_subcommand(name, summary);
    added->callback([this, action = std::move(action)] { action_ = action; });
    return added;
  }

  CLI::App* location_command(const char* name, const char* summary, std::function<int()> action,
                             const char* which = "One of its locations, or all") {
    auto* added = command(app_, name, summary, std::move(action));
    added->add_option("SERVICE", service_, "The service, e.g. crr")->required();
    added->add_option("LOCATION", location_, which)->required();
    return added;
  }

  HoldOptions hold_options() const { return {service_, location_, reason_, wait_}; }

  void add_hold_options(CLI::App* added) {
    added->add_option("--reason", reason_, "Why, for those who look later");
    added->add_option("--wait", wait_, "Wait until every node has done it, at most so long, e.g. 30s")->check(check_duration);
  }

  void add_control_commands() {
    add_hold_options(location_command("pause", "Hold a location", [this] { return pause_location(api_, hold_options()); }));
    add_hold_options(location_command("resume", "Let a location go on", [this] { return resume_location(api_, hold_options()); }));
    auto* schedule = location_command("schedule", "Resume a paused location later", [this] {
      return schedule_resume(api_, {service_, location_, hours_, at_, after_});
    });
    auto* when = schedule->add_option_group("when");
    when->add_option("--hours", hours_, "In so many hours")->check(CLI::Range(1, kMaxHours));
    when->add_option("--at", at_, "At a date, e.g. 2026-11-23T02:00:00+01:00")->check(check_date);
    when->add_option("--after", after_, "After a time, e.g. 90m")->check(check_duration);
    when->require_option(1);
    location_command("unschedule", "Forget a scheduled resume", [this] { return unschedule_resume(api_, service_, location_); });
    location_command(
        "failed", "List the records that were given up", [this] { return list_failed(api_, service_, location_); }, "One of its locations");
    auto* retry = location_command(
        "retry", "Queue failed records again", [this] { return retry_failed(api_, service_, location_, ids_); }, "One of its locations");
    auto* which = retry->add_option_group("which");
    which->add_option("IDS", ids_, "Their ids, as `failed` lists them");
    which->add_flag("--all", all_, "All of them");
    which->require_option(1);
  }

  void add_show_commands() {
    auto* status =
        command(app_, "status", "Show what is wanted and what really happens", [this] { return show_status(api_, service_, location_); });
    status->add_option("SERVICE", service_, "One service; default: all");
    status->add_option("LOCATION", location_, "One of its locations");
    command(app_, "plugins", "List the plugins", [this] { return show_plugins(api_); });
    command(app_, "nodes", "List the nodes", [this] { return show_nodes(api_); });
    auto* audit = command(app_, "audit", "List who changed what, newest first", [this] { return show_audit(api_, limit_); });
    audit->add_option("--limit", limit_, "How many")->check(CLI::Range(1, 1'000))->capture_default_str();
    auto* names = command(app_, "names", "", [this] { return show_names(api_, service_); });
    names->add_option("SERVICE", service_);
    names->group("");  // for the completion scripts only
  }

  void add_file_commands() {
    auto* serve = command(app_, "serve", "Run the daemon in the foreground", [this] { return world_.serve({file_, port_}); });
    serve->add_option("-c,--config", file_, "The configuration")->required();
    serve->add_option("--port", port_, "Listen there instead; 0: any free port")->check(CLI::Range(0, 65'535));
    add_config_commands(*app_.add_subcommand("config", "Check configurations, print what they may say")->require_subcommand(1));
    add_plugin_commands(*app_.add_subcommand("plugin", "Check plugins")->require_subcommand(1));
    command(app_, "version", "Print the version", [this] { return show_version(world_, options_); });
    auto* completion = command(app_, "completion", "Print a completion script, e.g. for `source <(fermata completion bash)`", [this] {
      world_.out << completion_script(shell_, command_names());
      return kExitOk;
    });
    completion->add_option("SHELL", shell_, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  }

  void add_config_commands(CLI::App& group) {
    auto* check =
        command(group, "check", "Say everything that is wrong with a file", [this] { return check_config(world_, options_, file_); });
    check->add_option("FILE", file_, "The configuration")->required();
    command(group, "reference", "Print the reference of all settings, as Markdown", [this] { return print(config::reference_markdown()); });
    command(group, "schema", "Print the JSON Schema of a configuration", [this] { return print(config::schema_json()); });
  }

  void add_plugin_commands(CLI::App& group) {
    auto* check = command(group, "check", "Look a shared object over", [this] { return check_plugin_file(world_, options_, file_); });
    check->add_option("FILE", file_, "The shared object")->required();
    auto* one = command(group, "run-check", "", [this] { return world_.run_one_check(check_name_, file_); });
    one->add_option("NAME", check_name_)->required();
    one->add_option("FILE", file_)->required();
    one->group("");  // the child process of `plugin check`
  }

  int print(const std::string& text) {
    world_.out << text;
    return kExitOk;
  }

  std::vector<std::string> command_names() const {
    std::vector<std::string> names;
    for (const auto* added : app_.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
      names.push_back(added->get_name());
    return names;
  }

  int refuse(const std::string& message) {
    world_.err << "fermata: " << message << "; see `fermata --help`\n";
    return kExitUsage;
  }

  /// What is no command of ours: a service's, or a mistake.
  int run_rest() {
    auto rest = app_.remaining(true);
    if (rest.empty()) return refuse("a command is missing");
    if (rest.front().starts_with("-")) return refuse("unknown option '" + rest.front() + "'");
    const auto names = command_names();
    const auto meant = config::suggest(rest.front(), {names.begin(), names.end()});
    if (rest.size() == 1 && !meant.empty())
      return refuse("unknown command '" + rest.front() + "'; did you mean '" + std::string(meant) + "'?");
    CLI::App service_app("A command of a service", "fermata SERVICE");
    std::string command_name;
    std::string argument;
    service_app.add_option("COMMAND", command_name);
    service_app.add_option("ARGUMENT", argument);
    add_global_options(service_app, options_);
    std::vector<std::string> words(rest.rbegin(), rest.rend() - 1);
    service_app.parse(words);
    return run_service_command(api_, rest.front(), command_name, argument);
  }

  const CliWorld& world_;
  GlobalOptions options_;
  const ApiClient api_;
  CLI::App app_{"Fermata: hold data services, and let them go on"};
  std::function<int()> action_;
  std::string service_;
  std::string location_;
  std::string reason_;
  std::optional<std::string> wait_;
  std::optional<int> hours_;
  std::optional<std::string> at_;
  std::optional<std::string> after_;
  std::vector<std::string> ids_;
  bool all_ = false;
  int limit_ = 50;
  std::string file_;
  std::optional<std::uint16_t> port_;
  std::string shell_;
  std::string check_name_;
};

}  // namespace

int run_cli(std::vector<std::string> arguments, const CliWorld& world) { return CommandLine(world).run(std::move(arguments)); }

}  // namespace fermata::app
