#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace fermata::plugin {

/// How a child process ended.
struct ChildEnd {
  int exit_code = 0;  ///< if it ended by itself
  int signal = 0;     ///< if it was killed by a signal
  bool timed_out = false;
  std::string output = {};  ///< its standard output, at most 64 KiB
  std::string error = {};   ///< not empty: it could not be run, and why
};

/// Runs `program` with `arguments` (the first is its own name) and waits for its end; after `limit` it is killed.
ChildEnd run_child(const std::string& program, const std::vector<std::string>& arguments, std::chrono::milliseconds limit);

}  // namespace fermata::plugin
