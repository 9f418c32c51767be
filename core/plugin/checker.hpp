#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace fermata::plugin {

/// One check of `fermata plugin check`.
struct CheckResult {
  std::string name;  ///< e.g. "exports-only-entry"
  enum class Verdict { kPassed, kFailed, kSkipped } verdict = Verdict::kPassed;
  std::string detail = {};  ///< why it failed or was skipped, and the fix
};

/// Runs every check on a shared object, each in a child process of its own with a time limit, so that a crash or a hang is
/// that check's failure and no more. The child is this program (/proc/self/exe), run as `fermata plugin run-check NAME FILE`.
///
/// Checks that run the service do so on an in-memory host, with settings and a location made from the manifest's schemas;
/// a plugin whose configuration cannot be guessed gives one as `examples` at the root of each schema, where "{work_dir}"
/// stands for a scratch directory.
std::vector<CheckResult> check_plugin(const std::string& file, std::chrono::milliseconds limit = std::chrono::seconds(30));

/// What the child process does: runs one check, prints its detail, and returns 0 (passed), 1 (failed) or 2 (skipped).
int run_one_check(const std::string& name, const std::string& file);

}  // namespace fermata::plugin
