#pragma once
// What the commands do; how they are written on the command line stands in cli.cpp. Each returns an ExitCode.

#include "app/cli_client.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fermata::app {

// cli_control.cpp: what operators ask for.
struct HoldOptions {
  std::string service;
  std::string location;
  std::string reason;
  std::optional<std::string> wait;  ///< a duration
};
int pause_location(const ApiClient& api, const HoldOptions& options);
int resume_location(const ApiClient& api, const HoldOptions& options);

struct ScheduleOptions {
  std::string service;
  std::string location;
  std::optional<int> hours;  ///< one of the three
  std::optional<std::string> at;
  std::optional<std::string> after;
};
int schedule_resume(const ApiClient& api, const ScheduleOptions& options);
int unschedule_resume(const ApiClient& api, const std::string& service, const std::string& location);

int list_failed(const ApiClient& api, const std::string& service, const std::string& location);
int retry_failed(const ApiClient& api, const std::string& service, const std::string& location, const std::vector<std::string>& ids);

// cli_show.cpp: what is going on.
/// All services, one, or one location of it.
int show_status(const ApiClient& api, const std::string& service, const std::string& location);
int show_plugins(const ApiClient& api);
int show_nodes(const ApiClient& api);
int show_audit(const ApiClient& api, int limit);
/// Names, one a line, for shell completion: of the services, or of a service's locations.
int show_names(const ApiClient& api, const std::string& service);

// cli_service.cpp: commands that plugins declare.
int run_service_command(const ApiClient& api, const std::string& service, const std::string& command, const std::string& argument);

// cli_files.cpp: what needs no daemon.
int check_config(const CliWorld& world, const GlobalOptions& options, const std::string& file);
int check_plugin_file(const CliWorld& world, const GlobalOptions& options, const std::string& file);
int show_version(const CliWorld& world, const GlobalOptions& options);

// cli_completion.cpp
/// The completion script for a shell ("bash", "zsh"). @param commands  the program's own.
std::string completion_script(const std::string& shell, const std::vector<std::string>& commands);

}  // namespace fermata::app
