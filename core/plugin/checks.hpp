#pragma once

#include "plugin/checker.hpp"

#include <span>
#include <string>
#include <string_view>

namespace fermata::plugin {

/// How one check went.
struct Outcome {
  CheckResult::Verdict verdict = CheckResult::Verdict::kPassed;
  std::string detail = {};
};

/// A check, run in a process of its own.
struct Check {
  std::string_view name;
  Outcome (*run)(const std::string& file);
};

/// All checks, in the order in which they are shown.
std::span<const Check> all_checks();

}  // namespace fermata::plugin
