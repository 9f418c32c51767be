#include "plugin/problems.hpp"

#include "plugin/plugin_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::plugin {
namespace {

using ::testing::HasSubstr;

config::ExtensionConfig extension(const std::string& plugin) {
  config::ExtensionConfig extension;
  extension.name = "crr";
  extension.plugin = plugin;
  extension.path = "extensions[2]";
  return extension;
}

TEST(PluginFile, WithoutASlashIsBelowThePluginDirectory) {
  EXPECT_EQ(plugin_file("/lib", extension("")), "/lib/crr.so");
  EXPECT_EQ(plugin_file("/lib", extension("other.so")), "/lib/other.so");
  EXPECT_EQ(plugin_file("/lib", extension("/opt/other.so")), "/opt/other.so");
}

TEST(CheckExtension, PointsIntoSettingsAndIntoEachLocation) {
  ServiceManifest service;
  service.settings_schema_json = R"({"properties":{"workers":{"type":"integer"}}})";
  service.location_schema_json = R"({"properties":{"path":{"type":"string"}},"required":["path"]})";
  auto checked = extension("");
  checked.settings_json = R"({"workers":"four"})";
  checked.locations.resize(2);
  checked.locations[0].json = R"({"name":"a","path":"/a"})";
  checked.locations[1].json = R"({"name":"b"})";
  const auto problems = check_extension(service, checked);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].pointer, "/settings/workers");
  EXPECT_EQ(problems[1].pointer, "/locations/1");
  EXPECT_THAT(problems[1].message, HasSubstr("'path' is missing"));
}

TEST(CheckExtensions, ReportsAPluginThatCannotBeReadAtItsLineOnlyIfAsked) {
  config::Config config;
  config.file = "fermata.yaml";
  config.plugin_dir = "/nowhere";
  config.extensions.push_back(extension("crr.so"));
  config.lines["/extensions/2/plugin"] = 17;
  EXPECT_TRUE(check_extensions(config, false).empty());
  const auto problems = check_extensions(config, true);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].line, 17);
  EXPECT_EQ(problems[0].path, "extensions[2].plugin");
  EXPECT_THAT(problems[0].message, HasSubstr("'/nowhere/crr.so' is missing"));
}

}  // namespace
}  // namespace fermata::plugin
