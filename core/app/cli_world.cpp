#include "app/cli_world.hpp"

#include "plugin/plugin_host.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>

namespace fermata::app {
namespace {

std::string user_at_host() {
  const char* user = std::getenv("USER");
  if (user == nullptr || *user == '\0') {
    const passwd* entry = ::getpwuid(::geteuid());
    user = entry != nullptr ? entry->pw_name : "unknown";
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string(user) + "@" + host.data();
}

}  // namespace

int run_cli(int argc, char** argv, ServeCommand serve) {
  const CliWorld world{
      .serve = std::move(serve),
      .transport = rest::http_request,
      .check_plugin = [](const std::string& file) { return plugin::check_plugin(file); },
      .run_one_check = plugin::run_one_check,
      .check_extensions = [](const config::Config& config) { return plugin::check_extensions(config, true); },
      .by = user_at_host(),
      .out = std::cout,
      .err = std::cerr,
  };
  return run_cli({argv + 1, argv + argc}, world);
}

}  // namespace fermata::app
