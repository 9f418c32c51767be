#include "plugin/check_sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::plugin {
namespace {

using ::testing::HasSubstr;

TEST(CheckSample, PrefersTheExampleAtTheRootAndFillsInTheWorkDirectory) {
  const auto value = sample_value(R"({"type":"object","examples":[{"path":"{work_dir}/in"}]})", "/scratch");
  EXPECT_EQ(value.value(), R"({"path":"/scratch/in"})");
}

TEST(CheckSample, MakesRequiredMembersFromDefaultsEnumsAndBounds) {
  const auto value = sample_value(
      R"({"type":"object","required":["a","b","c","d","e","f"],"properties":{
          "a":{"type":"string","minLength":3},"b":{"type":"integer","minimum":5},"c":{"enum":["x","y"]},"d":{"default":[1]},
          "e":{"type":"array","minItems":2,"items":{"type":"boolean"}},"f":{"$ref":"#/definitions/f"},"g":{"type":"string"}},
          "definitions":{"f":{"type":"number","exclusiveMinimum":1,"maximum":3}}})",
      "/scratch");
  ASSERT_TRUE(value.is_ok()) << value.status().text();
  EXPECT_EQ(*value, R"({"a":"xxx","b":5,"c":"x","d":[1],"e":[false,false],"f":2})");
}

TEST(CheckSample, SaysHowToHelpWhenItCannotGuess) {
  const auto value =
      sample_value(R"({"type":"object","required":["a"],"properties":{"a":{"type":"string","pattern":"^arn:"}}})", "/scratch");
  EXPECT_EQ(value.status().code(), Code::kNotFound);
  EXPECT_THAT(value.status().message(), HasSubstr("give one as `examples`"));
}

TEST(CheckSample, SchemaThatRefersToItselfEnds) {
  EXPECT_FALSE(sample_value(R"({"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}})", "/scratch").is_ok());
}

TEST(CheckSample, ConfigurationHasOneLocationWithAName) {
  ServiceManifest service;
  service.name = "s";
  service.settings_schema_json = "{}";
  service.location_schema_json = "{}";
  const auto sample = sample_config(service, "/scratch");
  ASSERT_TRUE(sample.is_ok()) << sample.status().text();
  EXPECT_EQ(sample->location, "check");
  EXPECT_EQ(sample->config_json, R"({"service":"s","settings":{},"locations":[{"name":"check"}],"work_dir":"/scratch"})");
  EXPECT_EQ(with_settings(*sample, "[7]"), R"({"service":"s","settings":[7],"locations":[{"name":"check"}],"work_dir":"/scratch"})");
}

TEST(CheckSample, WrongSettingsKeepTheOtherMembers) {
  const auto groups = wrong_settings(R"({"properties":{"a":{"type":"string"},"b":{"type":"integer"}}})", R"({"a":"x"})");
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].member, "b");
  EXPECT_THAT(groups[1].settings_json.front(), HasSubstr(R"("a":"x")"));
}

}  // namespace
}  // namespace fermata::plugin
