#include "base/units.hpp"

#include <gtest/gtest.h>

namespace fermata {
namespace {

using std::chrono::milliseconds;

TEST(Units, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(parse_duration("6h"), milliseconds(21'600'000));
  EXPECT_EQ(parse_duration("7d"), milliseconds(604'800'000));
}

TEST(Units, RefusesWhatIsNotADuration) {
  for (const char* text : {"", "5", "s", "-1s", "1.5s", "5 s", "1h30m", "99999999999999d", "1w"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(Units, WritesDurationsInTheirLargestUnit) {
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(7'200'000)), "2h");
  EXPECT_EQ(format_duration(milliseconds(0)), "0ms");
  EXPECT_EQ(format_duration(milliseconds(1'500)), "1500ms");
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_size("64KiB"), 65'536u);
  EXPECT_EQ(parse_size("123"), 123u);
  EXPECT_EQ(parse_size("1GiB"), 1u << 30);
  for (const char* text : {"", "KiB", "1KB", "-1", "1.5MiB", "99999999999TiB"}) EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

}  // namespace
}  // namespace fermata
