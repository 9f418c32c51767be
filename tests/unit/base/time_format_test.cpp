#include "base/time_format.hpp"

#include <gtest/gtest.h>

namespace fermata {
namespace {

TEST(TimeFormat, WritesAsJavaScriptDoes) {
  EXPECT_EQ(format_iso(from_unix_ms(1'795'336'512'830)), "2026-11-22T08:35:12.830Z");
  EXPECT_EQ(format_iso(from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
}

TEST(TimeFormat, ReadsBackWhatItWrote) {
  for (const std::int64_t ms : {0LL, 1LL, 951'782'400'000LL, 1'795'336'512'830LL, 4'102'444'800'999LL}) {
    const auto read = parse_rfc3339(format_iso(from_unix_ms(ms)));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(to_unix_ms(*read), ms);
  }
}

TEST(TimeFormat, ReadsOffsetsAndFractions) {
  const auto expected = parse_rfc3339("2026-11-22T08:35:12Z");
  ASSERT_TRUE(expected.has_value());
  EXPECT_EQ(parse_rfc3339("2026-11-22T09:35:12+01:00"), expected);
  EXPECT_EQ(parse_rfc3339("2026-11-21T22:35:12-10:00"), expected);
  EXPECT_EQ(parse_rfc3339("2026-11-22T08:35:12.5Z"), *expected + std::chrono::milliseconds(500));
  EXPECT_EQ(parse_rfc3339("2026-11-22T08:35:12.123456789Z"), *expected + std::chrono::milliseconds(123));
}

TEST(TimeFormat, RefusesYearsThatItCannotHold) {
  EXPECT_EQ(format_iso(*parse_rfc3339("2261-12-31T23:59:59.999Z")), "2261-12-31T23:59:59.999Z");
  EXPECT_EQ(format_iso(*parse_rfc3339("1678-01-01T00:00:00Z")), "1678-01-01T00:00:00.000Z");
  for (const char* text : {"2262-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "1677-12-31T00:00:00Z", "0000-01-01T00:00:00Z"})
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
}

TEST(TimeFormat, RefusesWhatIsNotADate) {
  for (const char* text :
       {"", "now", "2026-11-22", "2026-11-22T08:35:12", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T08:60:00Z", "2026-11-22T08:35:12.Z", "2026-11-22T08:35:12Zx", "2026-11-22T08:35:12+1:00", "1795336512830"})
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
}

}  // namespace
}  // namespace fermata
