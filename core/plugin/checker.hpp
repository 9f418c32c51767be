#pragma once

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
std::vector<CheckResult> check_plugin(const std::string& file);

/// What the child process does: runs one check, prints its detail, and returns 0 (passed), 1 (failed) or 2 (skipped).
int run_one_check(const std::string& name, const std::string& file);

}  // namespace fermata::plugin
