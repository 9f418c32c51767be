#include "model/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

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
  EXPECT_EQ(settings->source.path, "/nowhere/src");
  ASSERT_THAT(settings->journals, SizeIs(1));
  EXPECT_EQ(settings->journals[0].type, JournalSettings::Type::kFilesystem);
  EXPECT_EQ(settings->journals[0].rescan_interval, std::chrono::minutes(5));
  EXPECT_EQ(settings->journals[0].settle, std::chrono::seconds(1));
  EXPECT_EQ(settings->workers, 7u);
  EXPECT_THAT(settings->location_names(), ElementsAre("paris", "london"));
  EXPECT_EQ(settings->locations[1].path, "/nowhere/london");
}

TEST(Settings, RefusesAndNamesTheKey) {
  const std::string good = "[" + location("paris", "/nowhere/paris") + "]";
  const std::pair<std::string, std::string> cases[] = {
      {config("{}", good), "settings.source"},
      {config(with_source("relative"), good), "settings.source.path"},
      {config(R"({"source":{"type":"tape","path":"/s"}})", good), "settings.source.type"},
      {config(R"({"source":{"type":"s3","path":"/s"}})", good), "settings.source.path"},
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

/// An S3 store as source. @param more  members of `settings` after the source.
std::string with_store(const std::string& more = "", const std::string& endpoint = "http://s3.example.com:9000") {
  return R"({"source":{"type":"s3","endpoint":")" + endpoint + R"(","access_key":"AK","secret_key":"hidden-key"})" + more + "}";
}
std::string store(const std::string& name, const std::string& endpoint, const std::string& more = "") {
  return R"({"name":")" + name + R"(","type":"s3","endpoint":")" + endpoint + R"(","access_key":"AK","secret_key":"hidden-key")" + more +
         "}";
}
const std::string kParis = "[" + store("paris", "https://paris.example.com") + "]";

TEST(Settings, ReadsStoresInS3) {
  const auto settings = parse_settings(config(
      R"({"source":{"type":"s3","endpoint":"https://s3.example.com","region":"eu-west-3","access_key":"AK","secret_key":"SK",
          "path_style":false,"ca_file":"/etc/ca.pem","payload_signing":"unsigned"}})",
      "[" + store("paris", "http://paris:9000", R"(,"create_buckets":false,"storage_class":{"STANDARD_IA":"STANDARD"},"error_rate":0.25)") +
          "," + location("london", "/nowhere/london") + "]"));
  ASSERT_TRUE(settings.is_ok()) << settings.status().text();
  EXPECT_EQ(settings->source.type, SourceSettings::Type::kS3);
  EXPECT_EQ(settings->source.s3.endpoint, "https://s3.example.com");
  EXPECT_EQ(settings->source.s3.region, "eu-west-3");
  EXPECT_EQ(settings->source.s3.secret_key, "SK");
  EXPECT_FALSE(settings->source.s3.path_style);
  EXPECT_EQ(settings->source.s3.ca_file, "/etc/ca.pem");
  EXPECT_EQ(settings->source.s3.payload_signing, s3::Options::Payload::kUnsigned);
  const auto& paris = settings->locations[0];
  EXPECT_EQ(paris.type, LocationSettings::Type::kS3);
  EXPECT_EQ(paris.s3.region, "us-east-1");
  EXPECT_TRUE(paris.s3.path_style);
  EXPECT_EQ(paris.s3.payload_signing, s3::Options::Payload::kAuto);
  EXPECT_FALSE(paris.create_buckets);
  EXPECT_THAT(paris.storage_classes, ElementsAre(Pair("STANDARD_IA", "STANDARD")));
  EXPECT_EQ(paris.error_rate, 0.25);
  EXPECT_EQ(settings->locations[1].type, LocationSettings::Type::kFilesystem);
  EXPECT_EQ(settings->locations[1].error_rate, 0.5);
}

TEST(Settings, HasADefaultJournalForEachKindOfSource) {
  const auto files = parse_settings(config(with_source("/s"), "[]"));
  ASSERT_THAT(files->journals, SizeIs(1));
  EXPECT_EQ(files->journals[0].type, JournalSettings::Type::kFilesystem);
  const auto objects = parse_settings(config(with_store(), kParis));
  ASSERT_THAT(objects->journals, SizeIs(1));
  EXPECT_EQ(objects->journals[0].type, JournalSettings::Type::kScan);
  EXPECT_EQ(objects->journals[0].interval, std::chrono::hours(1));
}

TEST(Settings, ReadsSeveralJournals) {
  const auto settings = parse_settings(config(
      with_store(
          R"(,"journal":[{"type":"s3-events","topic":"bucket-events"},{"type":"s3-webhook","token":"0123456789abcdef"},{"type":"scan"}])"),
      kParis));
  ASSERT_TRUE(settings.is_ok()) << settings.status().text();
  ASSERT_THAT(settings->journals, SizeIs(3));
  EXPECT_EQ(settings->journals[0].topic, "bucket-events");
  EXPECT_EQ(settings->journals[1].token, "0123456789abcdef");
  EXPECT_EQ(settings->journals[2].interval, std::chrono::milliseconds(0));
}

TEST(Settings, ReadsRules) {
  const auto settings = parse_settings(config(
      with_store(
          R"(,"rules":[{"bucket":"photos","prefix":"public/","tags":{"class":"gold"},"locations":["paris"],"delete_markers":false},{}])"),
      kParis));
  ASSERT_TRUE(settings.is_ok()) << settings.status().text();
  ASSERT_THAT(settings->rules, SizeIs(2));
  const auto& rule = settings->rules[0];
  EXPECT_EQ(rule.bucket, "photos");
  EXPECT_EQ(rule.prefix, "public/");
  EXPECT_THAT(rule.tags, ElementsAre(Pair("class", "gold")));
  EXPECT_THAT(rule.locations, ElementsAre("paris"));
  EXPECT_FALSE(rule.delete_markers);
  EXPECT_TRUE(rule.version_deletes);
  EXPECT_THAT(settings->rules[1].locations, IsEmpty());
}

TEST(Settings, RefusesWhatContradictsItselfInS3AndNamesTheKey) {
  const std::string token = R"("token":"0123456789abcdef")";
  const std::string files = "[" + location("paris", "/nowhere/paris") + "]";
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {config(with_store("", "s3.example.com"), kParis), {"settings.source.endpoint", "http://"}},
      {config(R"({"source":{"type":"s3","endpoint":"http://s3"}})", kParis), {"settings.source", "secret_key"}},
      {config(with_source("/s", R"(,"journal":{"type":"s3-events","topic":"t"})"), files), {"settings.journal", "directory"}},
      {config(with_store(R"(,"journal":{"type":"filesystem"})"), kParis), {"settings.journal", "scan"}},
      {config(with_store(R"(,"journal":{"type":"s3-events"})"), kParis), {"settings.journal.topic"}},
      {config(with_store(R"(,"journal":[{"type":"scan"},{"type":"s3-webhook","token":"short"}])"), kParis),
       {"settings.journal[1].token", "16"}},
      {config(with_store(R"(,"journal":[{"type":"scan"},{"type":"scan"}])"), kParis), {"settings.journal", "one scan"}},
      {config(with_store(R"(,"journal":[{"type":"s3-events","topic":"t"},{"type":"s3-events","topic":"t"}])"), kParis),
       {"settings.journal", "topic t"}},
      {config(with_store(R"(,"journal":{"type":"s3-webhook","topic":"t",)" + token + "}"), kParis), {"settings.journal.topic"}},
      {config(with_store(R"(,"journal":{"type":"scan","settle":"1s"})"), kParis), {"settings.journal.settle"}},
      {config(with_store(R"(,"journal":{"type":"scan","interval":"1ms"})"), kParis), {"settings.journal.interval"}},
      {config(with_store(R"(,"journal":{"type":"tape"})"), kParis), {"settings.journal.type"}},
      {config(with_store(R"(,"rules":[{},{"locations":["rome"]}])"), kParis), {"settings.rules[1].locations", "rome"}},
      {config(with_source("/s", R"(,"rules":[{"tags":{"a":"b"}}])"), files), {"settings.rules[0].tags"}},
      {config(with_store(), "[" + store("paris", "http://s3.example.com:9000/") + "]"), {"locations[paris].endpoint", "settings.source"}},
      {config(with_store("", "https://s3.example.com"), "[" + store("paris", "https://s3.example.com:443") + "]"),
       {"locations[paris].endpoint"}},
      {config(with_store(), "[" + store("paris", "ftp://x") + "]"), {"locations[paris].endpoint"}},
      {config(with_store(), "[" + store("paris", "http://p", R"(,"error_rate":0)") + "]"), {"locations[paris].error_rate"}},
      {config(with_store(), "[" + store("paris", "http://p", R"(,"path":"/p")") + "]"), {"locations[paris].path"}},
      {config(with_source("/s"), R"([{"name":"paris","type":"filesystem","path":"/p","region":"r"}])"), {"locations[paris].region"}},
  };
  for (const auto& [json, parts] : cases) {
    const auto settings = parse_settings(json);
    EXPECT_EQ(settings.status().code(), Code::kInvalidArgument) << json;
    for (const auto& part : parts) EXPECT_THAT(settings.status().message(), HasSubstr(part)) << json;
    EXPECT_THAT(settings.status().message(), Not(HasSubstr("hidden-key")));
  }
}

}  // namespace
}  // namespace fermata::crr
