#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace fermata::app {

/// What `fermata serve` was told.
struct ServeOptions {
  std::string config_file;
  std::optional<std::uint16_t> port = {};  ///< instead of the configuration's; 0: any free one
};
/// Runs the daemon until it ends; returns the exit code.
using ServeCommand = std::function<int(const ServeOptions&)>;

/// What scripts may rely on.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       ///< the operation failed, or has not converged in time
  kExitUsage = 2,        ///< the command line is wrong
  kExitUnreachable = 3,  ///< no daemon answers
  kExitNotFound = 4,     ///< no such service, location, command or object
  kExitRefused = 5,      ///< the daemon refused (4xx)
};

/// The program `fermata`: reads the command line, does what it says, returns an ExitCode.
/// @param serve  what the command `serve` does.
int run_cli(int argc, char** argv, ServeCommand serve);

}  // namespace fermata::app
