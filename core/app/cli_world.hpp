#pragma once

#include "app/cli.hpp"
#include "base/status.hpp"
#include "config/config.hpp"
#include "plugin/checker.hpp"
#include "rest/http_client.hpp"

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace fermata::app {

using Transport = std::function<Result<rest::ClientResponse>(const rest::ClientRequest&)>;

/// All that the CLI touches outside of itself, so that tests put their own in its place.
struct CliWorld {
  ServeCommand serve;
  Transport transport;
  std::function<std::vector<plugin::CheckResult>(const std::string& file)> check_plugin;
  std::function<int(const std::string& name, const std::string& file)> run_one_check;
  std::function<std::vector<config::Problem>(const config::Config&)> check_extensions;
  std::string by;     ///< who asks: user@host
  std::ostream& out;  ///< results
  std::ostream& err;  ///< errors
};

/// The options that every command takes.
struct GlobalOptions {
  std::string url = "http://127.0.0.1:8900";
  bool json = false;
  bool quiet = false;
};

/// As run_cli. @param arguments  without the program's name.
int run_cli(std::vector<std::string> arguments, const CliWorld& world);

}  // namespace fermata::app
