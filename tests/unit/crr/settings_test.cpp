#include "settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string config(const std::string& settings, const std::string& locations) {
  return R"({"service":"crr","settings":)" + settings + R"(,"locations":)" + locations + R"(,"work_dir":"/nowhere"})";
}
std::string with_source(const std::string& path, const std::string& more = "") {
  return R"({"source":{"type":"filesystem","path":")" + path + R"("})" + more + "}";
}
std::string location(const std::string& name, const std::string& path) {
  return R"({"name":")" + name + R"(","type":"filesystem","path":")" + path + R"("})";
}

TEST(Settings, ReadsEverything) {
  const auto settings =
      parse_settings(config(with_source("/nowhere/src/", R"(,"journal":{"rescan_interval":"5m","settle":"1s"},"workers":7)"),
                            "[" + location("paris", "/nowhere/paris") + "," + location("london", "/nowhere/x/../london") + "]"));
  ASSERT_TRUE(settings.is_ok()) << settings.status().text();
  EXPECT_EQ(settings->source_path, "/nowhere/src");
  EXPECT_EQ(settings->journal.rescan_interval, std::chrono::minutes(5));
  EXPECT_EQ(settings->journal.settle, std::chrono::seconds(1));
  EXPECT_EQ(settings->workers, 7u);
  EXPECT_THAT(settings->location_names(), ElementsAre("paris", "london"));
  EXPECT_EQ(settings->locations[1].path, "/nowhere/london");
}

TEST(Settings, RefusesAndNamesTheKey) {
  const std::string good = "[" + location("paris", "/nowhere/paris") + "]";
  const std::pair<std::string, std::string> cases[] = {
      {config("{}", good), "settings.source"},
      {config(with_source("relative"), good), "settings.source.path"},
      {config(R"({"source":{"type":"s3","path":"/s"}})", good), "settings.source.type"},
      {config(with_source("/s", R"(,"workers":0)"), good), "settings.workers"},
      {config(with_source("/s", R"(,"workers":"4")"), good), "settings.workers"},
      {config(with_source("/s", R"(,"journal":{"settle":"200"})"), good), "settings.journal.settle"},
      {config(with_source("/s", R"(,"journal":{"settle":200})"), good), "settings.journal.settle"},
      {config(with_source("/s", R"(,"journal":{"rescan_interval":"10ms"})"), good), "settings.journal.rescan_interval"},
      {config(with_source("/s", R"(,"journal":[])"), good), "settings.journal"},
      {config(with_source("/s"), "[" + location("paris", "p") + "]"), "locations[paris].path"},
      {config(with_source("/s"), "[" + location("a,b", "/p") + "]"), "locations[a,b].name"},
  };
  for (const auto& [json, key] : cases) {
    const auto settings = parse_settings(json);
    EXPECT_EQ(settings.status().code(), Code::kInvalidArgument) << json;
    EXPECT_THAT(settings.status().message(), HasSubstr(key)) << json;
  }
}

TEST(Settings, RefusesRootsWithinEachOther) {
  const auto message = [](const std::string& source, const std::string& paris, const std::string& london) {
    return parse_settings(config(with_source(source), "[" + location("paris", paris) + "," + location("london", london) + "]"))
        .status()
        .message();
  };
  EXPECT_THAT(message("/n/s", "/n/s/p", "/n/l"), AllOf(HasSubstr("locations[paris].path"), HasSubstr("within settings.source")));
  EXPECT_THAT(message("/n/p/s", "/n/p", "/n/l"), AllOf(HasSubstr("settings.source.path"), HasSubstr("within locations[paris]")));
  EXPECT_THAT(message("/n/s", "/n/t", "/n/t"), HasSubstr("apart"));
  EXPECT_THAT(message("/n/s", "/", "/n/t"), HasSubstr("apart"));
  EXPECT_EQ(message("/n/s", "/n/s-paris", "/n/s2"), "");
}

}  // namespace
}  // namespace fermata::crr
