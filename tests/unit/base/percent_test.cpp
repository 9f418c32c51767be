#include "base/percent.hpp"

#include <gtest/gtest.h>

namespace fermata {
namespace {

TEST(Percent, EncodesAsJavaScriptDoes) {
  EXPECT_EQ(percent_encode("bucket/a key"), "bucket%2Fa%20key");
  EXPECT_EQ(percent_encode("-_.!~*'()"), "-_.!~*'()");
  EXPECT_EQ(percent_encode("\xC3\xA9+%"), "%C3%A9%2B%25");
}

TEST(Percent, DecodesOnceAndLeavesThePlus) {
  EXPECT_EQ(percent_decode("test%2Dsite"), "test-site");
  EXPECT_EQ(percent_decode("a%252Fb+c"), "a%2Fb+c");
  EXPECT_EQ(percent_decode(""), "");
}

TEST(Percent, RefusesMalformedEscapes) {
  for (const char* text : {"%", "%4", "a%zz", "%g0", "ab%2"}) EXPECT_EQ(percent_decode(text), std::nullopt) << text;
}

TEST(Percent, DecodingUndoesEncodingForEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
}

}  // namespace
}  // namespace fermata
