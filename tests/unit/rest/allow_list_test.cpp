#include "rest/allow_list.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::rest {
namespace {

AllowList::Address address(const std::string& text) {
  AllowList::Address bytes{};
  const std::string v6 = text.find(':') == std::string::npos ? "::ffff:" + text : text;
  EXPECT_EQ(inet_pton(AF_INET6, v6.c_str(), bytes.data()), 1) << text;
  return bytes;
}

bool allows(const std::vector<std::string>& entries, const std::string& peer) {
  const auto list = AllowList::parse(entries);
  EXPECT_TRUE(list.is_ok()) << list.status().text();
  return list->allows(address(peer));
}

TEST(AllowList, AllowsOnlyLoopbackByDefault) {
  EXPECT_TRUE(allows({}, "127.0.0.1"));
  EXPECT_TRUE(allows({}, "127.255.0.9"));
  EXPECT_TRUE(allows({}, "::1"));
  EXPECT_FALSE(allows({}, "10.0.0.1"));
  EXPECT_FALSE(allows({}, "::2"));
}

TEST(AllowList, AlwaysAllowsThisMachine) {
  EXPECT_TRUE(allows({"10.0.0.1"}, "127.0.0.1"));
  EXPECT_TRUE(allows({"10.0.0.1"}, "::1"));
}

TEST(AllowList, ComparesExactlyAsManyBitsAsTheRangeHas) {
  EXPECT_TRUE(allows({"10.1.2.128/25"}, "10.1.2.200"));
  EXPECT_FALSE(allows({"10.1.2.128/25"}, "10.1.2.127"));
  EXPECT_TRUE(allows({"2001:db8::/33"}, "2001:db8:7fff::1"));
  EXPECT_FALSE(allows({"2001:db8::/33"}, "2001:db8:8000::1"));
  EXPECT_TRUE(allows({"192.168.1.7"}, "192.168.1.7"));
  EXPECT_FALSE(allows({"192.168.1.7"}, "192.168.1.6"));
}

TEST(AllowList, ARangeSpeaksForItsOwnFamilyOnly) {
  EXPECT_TRUE(allows({"0.0.0.0/0"}, "8.8.8.8"));
  EXPECT_FALSE(allows({"0.0.0.0/0"}, "2001:db8::1"));
  EXPECT_TRUE(allows({"::/0"}, "2001:db8::1"));
  EXPECT_FALSE(allows({"::/0"}, "8.8.8.8"));
}

TEST(AllowList, NamesTheEntryThatIsWrong) {
  for (const auto* wrong : {"", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/8x", "example.org", "10.0.0.1/-1"}) {
    const auto list = AllowList::parse({"127.0.0.1", wrong});
    EXPECT_EQ(list.status().code(), Code::kInvalidArgument) << wrong;
    EXPECT_THAT(list.status().message(), ::testing::HasSubstr("'" + std::string(wrong) + "'"));
  }
}

}  // namespace
}  // namespace fermata::rest
