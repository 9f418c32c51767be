#include "plugin/schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "source": {"type": "object", "properties": {"path": {"type": "string", "minLength": 1}}, "required": ["path"], "additionalProperties": false},
    "workers": {"type": "integer", "minimum": 1, "maximum": 64, "description": "threads that copy"},
    "mode": {"enum": ["fast", "safe"]},
    "tags": {"type": "array", "items": {"$ref": "#/definitions/tag"}},
    "a/b~c": {"type": "boolean"}
  },
  "patternProperties": {"^x-": {"type": "string"}},
  "required": ["source"],
  "additionalProperties": false,
  "definitions": {"tag": {"type": "string", "pattern": "^[a-z]+$"}}
})";

std::vector<std::string> problems(std::string_view value) {
  std::vector<std::string> lines;
  for (const auto& problem : validate(kSchema, value)) lines.push_back(problem.pointer + ": " + problem.message);
  return lines;
}

TEST(Schema, AcceptsAValueThatFits) {
  EXPECT_THAT(problems(R"({"source":{"path":"/s"},"workers":4,"mode":"safe","tags":["a"],"a/b~c":true,"x-note":"n"})"), ElementsAre());
}

TEST(Schema, NamesEverythingThatIsWrongAtOnce) {
  EXPECT_THAT(problems(R"({"workers":"many","mode":"slow"})"),
              ::testing::UnorderedElementsAre("/workers: this string is not allowed; allowed: an integer of 1 to 64 (threads that copy)",
                                              R"(/mode: this string is not allowed; allowed: one of "fast", "safe")",
                                              ": the key 'source' is missing; it is an object"));
}

TEST(Schema, NamesEveryUnknownKeyAndTheKnownOnes) {
  EXPECT_THAT(problems(R"({"source":{"path":"/s","pth":1},"sauce":1,"wrkers":2})"),
              ::testing::UnorderedElementsAre("/source/pth: unknown key 'pth'; allowed: path",
                                              "/sauce: unknown key 'sauce'; allowed: source, workers, mode, tags, a/b~c",
                                              "/wrkers: unknown key 'wrkers'; allowed: source, workers, mode, tags, a/b~c"));
}

TEST(Schema, FollowsListsReferencesAndPatterns) {
  EXPECT_THAT(problems(R"({"source":{"path":"/s"},"tags":["a","B"],"x-note":1})"),
              ::testing::UnorderedElementsAre("/tags/1: this string is not allowed; allowed: a string that matches ^[a-z]+$",
                                              "/x-note: this number is not allowed; allowed: a string"));
}

TEST(Schema, EscapesKeysInPointers) {
  EXPECT_THAT(problems(R"({"source":{"path":"/s"},"a/b~c":1})"),
              ElementsAre("/a~1b~0c: this number is not allowed; allowed: true or false"));
}

TEST(Schema, NeverShowsTheValue) {
  for (const auto& line : problems(R"({"source":{"path":7},"mode":"hunter2","tags":["hunter2"],"workers":"hunter2"})"))
    EXPECT_THAT(line, ::testing::Not(HasSubstr("hunter2")));
}

TEST(Schema, ValueThatIsNotJsonIsAProblem) { EXPECT_THAT(problems("{"), ElementsAre(HasSubstr("not JSON"))); }

TEST(Schema, FormatOfAValueOfAnotherTypeIsAProblemAndNoCrash) {
  EXPECT_FALSE(validate(R"({"properties":{"day":{"type":"string","format":"date"}}})", R"({"day":7})").empty());
  EXPECT_TRUE(validate(R"({"properties":{"day":{"type":"string","format":"date"}}})", R"({"day":"2026-11-22"})").empty());
}

TEST(Schema, FailedAlternativesAreReported) {
  EXPECT_FALSE(validate(R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "true").empty());
  EXPECT_TRUE(validate(R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "1").empty());
}

class BadSchema : public ::testing::TestWithParam<std::string> {};
TEST_P(BadSchema, IsRefusedWhenCompiled) { EXPECT_FALSE(SchemaValidator::compile(GetParam()).is_ok()); }
INSTANTIATE_TEST_SUITE_P(All, BadSchema,
                         ::testing::Values("{", "[]", "7", R"({"type":"strng"})", R"({"minimum":"one"})",
                                           R"({"properties":{"a":{"pattern":"("}}})", R"({"patternProperties":{"[":{}}})",
                                           R"({"$ref":"http://example.com/schema.json"})"));

}  // namespace
}  // namespace fermata::plugin
