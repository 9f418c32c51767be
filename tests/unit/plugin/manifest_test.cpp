#include "plugin/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::plugin {
namespace {

using ::testing::HasSubstr;

std::string manifest(const std::string& services, const std::string& abi = R"({"major":1,"minor":0})") {
  return R"({"name":"crr","version":"1.2.3","abi":)" + abi + R"(,"services":)" + services + "}";
}

TEST(Manifest, FillsInWhatAServiceLeavesOut) {
  const auto parsed = parse_manifest(manifest(R"([{"name":"x"}])"));
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().text();
  const auto& service = parsed->services.at(0);
  EXPECT_EQ(service.state_name, "x");
  EXPECT_EQ(service.topic, "backbeat-x");
  EXPECT_FALSE(service.paused_at_first);
  EXPECT_EQ(service.settings_schema_json, "{}");
}

TEST(Manifest, ReadsEverythingThatIsGiven) {
  const auto parsed = parse_manifest(manifest(
      R"([{"name":"crr","state_name":"replication","paused_at_first":true,"settings_schema":{"type":"object"},
          "commands":[{"name":"object","method":"GET","path":"objects/{argument}","summary":"One object"}]}])"));
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().text();
  const auto* service = parsed->service("crr");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->topic, "backbeat-replication");
  EXPECT_TRUE(service->paused_at_first);
  EXPECT_EQ(service->settings_schema_json, R"({"type":"object"})");
  EXPECT_EQ(service->commands.at(0).path, "objects/{argument}");
  EXPECT_EQ(parsed->service("nobody"), nullptr);
}

TEST(Manifest, OfAnotherMajorIsReadNoFurtherThanItsVersion) {
  const auto parsed = parse_manifest(manifest(R"(["written in a way of the future"])", R"({"major":2,"minor":7})"));
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().text();
  EXPECT_EQ(parsed->abi_major, 2u);
  EXPECT_EQ(parsed->abi_minor, 7u);
}

struct Wrong {
  std::string text;
  std::string part;
};
class WrongManifest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongManifest, IsRefusedByNameOfTheMember) {
  const auto parsed = parse_manifest(GetParam().text);
  ASSERT_FALSE(parsed.is_ok()) << GetParam().text;
  EXPECT_THAT(parsed.status().message(), HasSubstr(GetParam().part));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongManifest,
    ::testing::Values(Wrong{"{", "not JSON"}, Wrong{"[]", "must be a JSON object"}, Wrong{R"({"version":"1"})", "name is missing"},
                      Wrong{R"({"name":3,"version":"1","abi":{},"services":[{}]})", "name must be a string"},
                      Wrong{R"({"name":"A B","version":"1","abi":{},"services":[{}]})", "name must be 1 to 64 of a-z"},
                      Wrong{R"({"name":"a","version":"1","services":[{}]})", "abi is missing"},
                      Wrong{manifest(R"([{"name":"x"}])", R"({"major":"1","minor":0})"), "abi.major must be a whole number"},
                      Wrong{manifest(R"([{"name":"x"}])", R"({"major":1,"minor":-1})"), "abi.minor must be a whole number"},
                      Wrong{manifest("[]"), "services must name at least one service"}, Wrong{manifest("{}"), "services must be a list"},
                      Wrong{manifest("[7]"), "services[0] must be an object"}, Wrong{manifest(R"([{}])"), "services[0].name is missing"},
                      Wrong{manifest(R"([{"name":"x"},{"name":"x"}])"), "two services named 'x'"},
                      Wrong{manifest(R"([{"name":"x","topic":""}])"), "services[0].topic must not be empty"},
                      Wrong{manifest(R"([{"name":"x","paused_at_first":"no"}])"), "services[0].paused_at_first must be true or false"},
                      Wrong{manifest(R"([{"name":"x","settings_schema":[]}])"), "services[0].settings_schema must be an object"},
                      Wrong{manifest(R"([{"name":"x","commands":[{"path":"p"}]}])"), "services[0].commands[0].name is missing"}));

}  // namespace
}  // namespace fermata::plugin
