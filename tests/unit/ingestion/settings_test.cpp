#include "settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fermata::ingestion::testing {
namespace {

using ::testing::HasSubstr;

std::string config(const std::string& settings, const std::string& locations) {
  return R"({"service":"ingestion","work_dir":"/w","settings":)" + settings + R"(,"locations":[)" + locations + "]}";
}
std::string location(const std::string& name, const std::string& buckets, const std::string& more = {}) {
  return R"({"name":")" + name + R"(","endpoint":"http://h:9000","sessions":[1],"owner":{"id":"o","display_name":"O"},"buckets":)" +
         buckets + more + "}";
}
const std::string kStore = R"({"store":{"type":"sqlite"}})";
const std::string kBuckets = R"([{"source":"a"},{"source":"b","target":"c","owner":{"id":"p","display_name":"P"}}])";

TEST(IngestionSettings, AreReadWithTheirDefaults) {
  const auto settings = parse_settings(config(kStore, location("ring", kBuckets)));
  ASSERT_TRUE(settings.is_ok()) << settings.status().text();
  EXPECT_EQ(settings->store->path, "/w/metadata.db");
  EXPECT_TRUE(settings->store->survives_power_loss);
  const auto& ring = settings->locations.at(0);
  EXPECT_EQ(ring.from, LocationSettings::From::kNow);
  EXPECT_EQ(ring.poll_interval, std::chrono::seconds(1));
  EXPECT_EQ(ring.find_source("a")->target, "a");
  EXPECT_EQ(ring.find_source("a")->owner_id, "o");
  EXPECT_EQ(ring.find_target("c")->owner_display_name, "P");
  EXPECT_FALSE(parse_settings(config(R"({"store":{"type":"elsewhere"}})", ""))->store);
}

TEST(IngestionSettings, SayWhatIsWrong) {
  const auto refusal = [](const std::string& settings, const std::string& locations) {
    return parse_settings(config(settings, locations)).status().message();
  };
  EXPECT_THAT(refusal(R"({"store":{"type":"elsewhere","path":"/x"}})", ""), HasSubstr("elsewhere"));
  EXPECT_THAT(refusal(R"({"store":{"type":"sqlite","path":"x"}})", ""), HasSubstr("settings.store.path"));
  EXPECT_THAT(refusal(kStore, location("ring", "[]")), HasSubstr("between one and 1000 buckets"));
  EXPECT_THAT(refusal(kStore, location("ring", R"([{"source":"a"},{"source":"a","target":"b"}])")), HasSubstr("'a' stands twice"));
  EXPECT_THAT(refusal(kStore, location("ring", kBuckets) + "," + location("other", R"([{"source":"x","target":"c"}])")),
              HasSubstr("filled by a bucket of location 'ring' already"));
  EXPECT_THAT(refusal(kStore, location("ring", kBuckets, R"(,"poll_interval":"1ms")")), HasSubstr("10ms to 1h"));
  EXPECT_THAT(refusal(kStore, R"({"name":"ring","endpoint":"http://h","sessions":[1,1],"buckets":[{"source":"a"}]})"),
              HasSubstr("stands twice"));
  EXPECT_THAT(refusal(kStore, R"({"name":"ring","endpoint":"http://h","sessions":[1],"buckets":[{"source":"a"}]})"),
              HasSubstr("nobody owns it"));
  EXPECT_THAT(refusal(kStore, R"({"name":"ring","endpoint":"nowhere","sessions":[1],"buckets":[{"source":"a"}]})"),
              HasSubstr("locations[ring].endpoint"));
}

}  // namespace
}  // namespace fermata::ingestion::testing
