#include "rest/json_writer.hpp"

#include <gtest/gtest.h>

namespace fermata::rest {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  JsonWriter json;
  json.begin_object().member("a", 1).member("b", true).key("c").begin_array().value("x").begin_object().end_object().null().end_array();
  json.key("d").begin_object().member("e", -5).end_object().text_or_null("f", "").text_or_null("g", "h").key("i").raw("{}").end_object();
  EXPECT_EQ(json.take(), R"({"a":1,"b":true,"c":["x",{},null],"d":{"e":-5},"f":null,"g":"h","i":{}})");
}

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(quoted("a\"b\\c\n\r\t\x01"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\"");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonWriter, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(quoted("é€😀"), "\"é€😀\"");
  const std::string replaced = "\"\xEF\xBF\xBD";
  EXPECT_EQ(quoted("\xC3"), replaced + "\"");
  EXPECT_EQ(quoted("\xC0\xAF"), replaced + "\xEF\xBF\xBD\"") << "overlong";
  EXPECT_EQ(quoted("\xED\xA0\x80").substr(0, 4), replaced) << "surrogate";
  EXPECT_EQ(quoted("\xF4\x90\x80\x80").substr(0, 4), replaced) << "beyond U+10FFFF";
  EXPECT_EQ(quoted("\xFFx"), replaced + "x\"");
}

}  // namespace
}  // namespace fermata::rest
