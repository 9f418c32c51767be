#include "config/reference.hpp"
#include "fake_daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <filesystem>
#include <fstream>

namespace fermata::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Verdict = plugin::CheckResult::Verdict;

class ConfigFile : public ::testing::Test {
 protected:
  ConfigFile() {
    std::string name = (std::filesystem::temp_directory_path() / "fermata-cli-XXXXXX").string();
    folder_ = ::mkdtemp(name.data()) != nullptr ? name : "";
  }
  ~ConfigFile() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text) {
    const auto file = (folder_ / "fermata.yaml").string();
    std::ofstream(file) << text;
    return file;
  }

  std::filesystem::path folder_;
  FakeDaemon daemon_;
};

TEST_F(ConfigFile, AGoodOneIsCounted) {
  const auto file = write("extensions:\n  - name: crr\n    locations: [{name: a}, {name: b}]\n");
  EXPECT_EQ(daemon_.run({"config", "check", file}), kExitOk) << daemon_.err();
  EXPECT_EQ(daemon_.out(), file + ": valid: 1 extensions, 2 locations\n");
}

TEST_F(ConfigFile, ABadOneIsExplainedAsTextAndAsJson) {
  const auto file = write("rest: {port: x}\n");
  EXPECT_EQ(daemon_.run({"config", "check", file}), kExitFailed);
  EXPECT_THAT(daemon_.out(), HasSubstr(file + ":1: rest.port: 'x' is not a whole number"));
  EXPECT_EQ(daemon_.run({"config", "check", file, "--json"}), kExitFailed);
  const auto json = boost::json::parse(daemon_.out());
  EXPECT_EQ(json.at("valid").as_bool(), false);
  EXPECT_EQ(json.at("problems").as_array()[0].at("line").as_int64(), 1);
}

TEST_F(ConfigFile, WhatThePluginsRefuseIsAddedOnceTheFileItselfIsGood) {
  daemon_.extension_problems = {{"f.yaml", 7, "extensions[0].settings.source", "is missing"}};
  EXPECT_EQ(daemon_.run({"config", "check", write("extensions: []\n")}), kExitFailed);
  EXPECT_EQ(daemon_.out(), "f.yaml:7: extensions[0].settings.source: is missing\n");
}

TEST_F(ConfigFile, ReferenceAndSchemaArePrinted) {
  EXPECT_EQ(daemon_.run({"config", "reference"}), kExitOk) << daemon_.err();
  EXPECT_EQ(daemon_.out(), config::reference_markdown());
  EXPECT_EQ(daemon_.run({"config", "schema"}), kExitOk);
  EXPECT_EQ(daemon_.out(), config::schema_json());
}

TEST(CliPluginCheck, PassesIfNothingFailed) {
  FakeDaemon daemon;
  daemon.checks = {{"exports-only-entry", Verdict::kPassed}, {"rejects-bad-config", Verdict::kSkipped, "its schema accepts anything"}};
  EXPECT_EQ(daemon.run({"plugin", "check", "x.so"}), kExitOk) << daemon.err();
  EXPECT_THAT(daemon.out(), AllOf(HasSubstr("exports-only-entry  passed\n"), HasSubstr("rejects-bad-config  skipped  its schema accepts")));
}

TEST(CliPluginCheck, FailsAndReportsForMachines) {
  FakeDaemon daemon;
  daemon.checks = {{"entry-is-pure", Verdict::kFailed, "it throws"}};
  EXPECT_EQ(daemon.run({"plugin", "check", "x.so", "--json"}), kExitFailed);
  const auto json = boost::json::parse(daemon.out());
  EXPECT_EQ(json.at("passed").as_bool(), false);
  EXPECT_EQ(json.at("checks").as_array()[0].at("detail").as_string(), "it throws");
}

TEST(CliPluginCheck, TheChildProcessRunsOneCheckAndReturnsItsCode) {
  FakeDaemon daemon;
  EXPECT_EQ(daemon.run({"plugin", "run-check", "entry-is-pure", "x.so"}), 2);
  EXPECT_EQ(daemon.run_check, "entry-is-pure x.so");
}

TEST(CliVersion, NamesThePluginAbiToo) {
  FakeDaemon daemon;
  EXPECT_EQ(daemon.run({"version"}), kExitOk);
  EXPECT_THAT(daemon.out(), ::testing::MatchesRegex("fermata [0-9.]+ \\(plugin ABI [0-9]+\\.[0-9]+\\)\n"));
}

}  // namespace
}  // namespace fermata::app
