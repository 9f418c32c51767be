#include "plugin/checker.hpp"

#include "plugin/check_process.hpp"
#include "plugin/checks.hpp"
#include "plugin/fence.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace fermata::plugin {
namespace {

using Verdict = CheckResult::Verdict;

CheckResult judge(std::string_view name, const ChildEnd& end, std::chrono::milliseconds limit) {
  CheckResult result{std::string(name), Verdict::kFailed, end.output};
  if (!end.error.empty())
    result.detail = "the check could not be run: " + end.error;
  else if (end.timed_out)
    result.detail = fmt::format("did not end within {} s and was killed: a function of the plugin hangs", limit.count() / 1'000);
  else if (end.signal != 0)
    result.detail = fmt::format("crashed: {} (signal {})", strsignal(end.signal), end.signal);
  else if (end.exit_code == 0)
    result.verdict = Verdict::kPassed;
  else if (end.exit_code == 2)
    result.verdict = Verdict::kSkipped;
  else if (end.exit_code != 1)
    result.detail = fmt::format("the plugin ended the process with exit code {}", end.exit_code);
  return result;
}

int exit_code(Verdict verdict) { return verdict == Verdict::kPassed ? 0 : verdict == Verdict::kSkipped ? 2 : 1; }

// What the plugin prints must not be taken for the detail: it goes to standard error.
class OwnOutput {
 public:
  OwnOutput() : output_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) { ::dup2(STDERR_FILENO, STDOUT_FILENO); }
  ~OwnOutput() {
    std::fflush(stdout);
    ::dup2(output_, STDOUT_FILENO);
    ::close(output_);
  }
  OwnOutput(const OwnOutput&) = delete;
  OwnOutput& operator=(const OwnOutput&) = delete;

 private:
  int output_;
};

Outcome run_fenced(const Check& check, const std::string& file) {
  Outcome outcome;
  const auto ran = fenced("the check", [&] {
    outcome = check.run(file);
    return Status::ok();
  });
  return ran ? outcome : Outcome{Verdict::kFailed, ran.message()};
}

Outcome run_named(const std::string& name, const std::string& file) {
  const OwnOutput output;
  for (const auto& check : all_checks())
    if (check.name == name) return run_fenced(check, file);
  return {Verdict::kFailed, fmt::format("there is no check '{}'", name)};
}

}  // namespace

std::vector<CheckResult> check_plugin(const std::string& file, std::chrono::milliseconds limit) {
  std::vector<CheckResult> results;
  for (const auto& check : all_checks()) {
    const std::string name(check.name);
    results.push_back(judge(name, run_child("/proc/self/exe", {"fermata", "plugin", "run-check", name, file}, limit), limit));
  }
  return results;
}

int run_one_check(const std::string& name, const std::string& file) {
  const Outcome outcome = run_named(name, file);
  std::fputs(outcome.detail.c_str(), stdout);
  std::fflush(stdout);
  return exit_code(outcome.verdict);
}

}  // namespace fermata::plugin
