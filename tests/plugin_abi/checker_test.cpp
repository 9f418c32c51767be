// `fermata plugin check` on the zoo. This program is also the child process that runs one check: see main.cpp.
#include "plugin/checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace fermata::plugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Verdict = CheckResult::Verdict;

std::map<std::string, CheckResult> check(const std::string& name, std::chrono::milliseconds limit = std::chrono::seconds(30)) {
  std::map<std::string, CheckResult> results;
  for (auto& result : check_plugin(ZOO_DIR "/" + name + ".so", limit)) results[result.name] = result;
  return results;
}

void expect_failure(const std::map<std::string, CheckResult>& results, const std::string& name, const std::string& part) {
  ASSERT_TRUE(results.contains(name));
  EXPECT_EQ(results.at(name).verdict, Verdict::kFailed) << name;
  EXPECT_THAT(results.at(name).detail, HasSubstr(part));
}

TEST(PluginCheck, PassesAGoodPluginInEveryCheck) {
  const auto results = check("good");
  EXPECT_EQ(results.size(), 11u);
  for (const auto& [name, result] : results) EXPECT_EQ(result.verdict, Verdict::kPassed) << name << ": " << result.detail;
}

TEST(PluginCheck, PassesTheExampleOfTheSdk) {
  for (const auto& result : check_plugin(HELLO_FILE)) EXPECT_EQ(result.verdict, Verdict::kPassed) << result.name << ": " << result.detail;
}

TEST(PluginCheck, FailsEveryCheckOfAMissingFileWithTheReason) {
  for (const auto& [name, result] : check("nowhere")) expect_failure({{name, result}}, name, "is missing");
}

TEST(PluginCheck, NamesSymbolsExportedBesideTheEntry) {
  const auto results = check("exports_more");
  expect_failure(results, "exports-only-entry", "zoo_something_else");
  EXPECT_EQ(results.at("start-stop").verdict, Verdict::kPassed);
}

TEST(PluginCheck, NoticesAnEntryThatIsNotPure) { expect_failure(check("changing_entry"), "entry-pure", "another pointer"); }

TEST(PluginCheck, NoticesAnotherAbiMajor) { expect_failure(check("other_major"), "abi-major", "speaks ABI 2.0"); }

TEST(PluginCheck, SurvivesAPluginThatCrashes) {
  const auto results = check("crashing_init");
  expect_failure(results, "start-stop", "crashed");
  EXPECT_EQ(results.at("manifest-valid").verdict, Verdict::kPassed);
}

TEST(PluginCheck, KillsAPluginThatHangs) {
  const auto results = check("hanging_init", std::chrono::milliseconds(1'000));
  expect_failure(results, "start-stop", "a function of the plugin hangs");
}

TEST(PluginCheck, NoticesAThreadThatIsLeft) {
  const auto results = check("leaves_thread");
  expect_failure(results, "no-threads-left", "join them in stop");
}

TEST(PluginCheck, NoticesExceptionsThatEscape) {
  expect_failure(check("throwing_init"), "exceptions-contained", "init throws");
  expect_failure(check("throwing_pause"), "exceptions-contained", "pause of an unknown location throws");
}

TEST(PluginCheck, NoticesAPauseThatFails) { expect_failure(check("throwing_pause"), "pause-resume-idempotent", "pause's own words"); }

TEST(PluginCheck, ReportsAnInitThatRefusesTheSampleConfiguration) {
  expect_failure(check("failing_init"), "start-stop", "give one as `examples` in the schemas");
}

}  // namespace
}  // namespace fermata::plugin
