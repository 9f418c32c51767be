#include "text/text.hpp"

#include "text/query.hpp"

#include <gtest/gtest.h>

namespace fermata::text {
namespace {

TEST(Text, KnowsWellFormedUtf8) {
  for (const auto* good : {"", "plain", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x8E\xB5", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const auto* bad : {"\xFF", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x80\x80\x80", "a\x80"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Text, EncodesAsJavaScriptDoes) {
  EXPECT_EQ(encode_uri_component("b/a b+%\xC3\xBC"), "b%2Fa%20b%2B%25%C3%BC");
  EXPECT_EQ(encode_uri_component("AZaz09-_.!~*'()"), "AZaz09-_.!~*'()");
}

TEST(Text, DecodesOnceAndRefusesWhatIsMalformed) {
  EXPECT_EQ(percent_decode("a%2Fb+%2520"), "a/b+%20");
  for (const auto* bad : {"%", "%2", "%zz", "a%2"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(Text, FormatsTimesWithMilliseconds) {
  EXPECT_EQ(format_iso_ns(1'795'336'512'830'999'999), "2026-11-22T08:35:12.830Z");
  EXPECT_EQ(format_iso_ns(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Text, MakesNamesFitForALog) {
  EXPECT_EQ(printable("a\n\xFF\xC3\xBC"), "a\\x0A\\xFF\xC3\xBC");
  EXPECT_EQ(printable("a\n\xFFz", 3), "a\\x0A\\xFF...");
}

TEST(Text, ReadsDurations) {
  EXPECT_EQ(parse_duration("200ms"), std::chrono::milliseconds(200));
  EXPECT_EQ(parse_duration("2d"), std::chrono::hours(48));
  for (const auto* bad : {"", "5", "ms", "-1s", "1.5s", "1w", "10000000000s"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Text, ReadsQueriesAndNamesWhatItDoesNotKnow) {
  const auto query = parse_query("a=1%202&&b", {"a", "b"});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->at("a"), "1 2");
  EXPECT_EQ(query->at("b"), "");
  EXPECT_EQ(parse_query("c=1", {"a", "b"}).status().message(), "'c' is unknown; there is a, b");
  EXPECT_EQ(parse_query("a=%zz", {"a"}).status().message(), "a: a percent sign must be followed by two hex digits");
}

}  // namespace
}  // namespace fermata::text
