#include "control/desired_state.hpp"

#include "base/time_format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::control {
namespace {

using ::testing::HasSubstr;

const WallTime kDate = *parse_rfc3339("2026-11-22T08:35:12.830Z");

TEST(DesiredStateCodec, ReadsWhatBackbeatWrites) {
  EXPECT_EQ(parse_state(R"({"paused":false})")->desired, DesiredState{});
  EXPECT_EQ(parse_state(R"({"paused":true})")->desired, DesiredState{.paused = true});
  EXPECT_EQ(parse_state(R"({"paused":true,"scheduledResume":"2026-11-22T08:35:12.830Z"})")->desired,
            (DesiredState{.paused = true, .scheduled_resume = kDate}));
  for (const char* none : {"null", "false", "\"\""})
    EXPECT_EQ(parse_state(std::string(R"({"paused":true,"scheduledResume":)") + none + "}")->desired, DesiredState{.paused = true}) << none;
}

TEST(DesiredStateCodec, DropsTheDateOfARunningLocation) {
  const auto state = parse_state(R"({"paused":false,"scheduledResume":"2126-11-22T08:35:12.830Z"})");
  EXPECT_EQ(state->desired, DesiredState{});
  EXPECT_EQ(state->warning, "");
}

TEST(DesiredStateCodec, IgnoresADateThatDoesNotParseAndSaysSo) {
  for (const char* odd : {"\"soon\"", "17", "{}", "true"}) {
    const auto state = parse_state(std::string(R"({"paused":true,"scheduledResume":)") + odd + "}");
    ASSERT_TRUE(state) << odd;
    EXPECT_EQ(state->desired, DesiredState{.paused = true});
    EXPECT_THAT(state->warning, HasSubstr(odd));
  }
}

TEST(DesiredStateCodec, RefusesWhatIsNoStateWithAReason) {
  EXPECT_THAT(parse_state("null").status().message(), HasSubstr("not a JSON object"));
  EXPECT_THAT(parse_state("").status().message(), HasSubstr("not JSON"));
  EXPECT_THAT(parse_state("{paused:true}").status().message(), HasSubstr("not JSON"));
  EXPECT_THAT(parse_state("[]").status().message(), HasSubstr("not a JSON object"));
  EXPECT_THAT(parse_state("{}").status().message(), HasSubstr("paused"));
  EXPECT_THAT(parse_state(R"({"paused":"true"})").status().message(), HasSubstr("paused"));
}

TEST(DesiredStateCodec, KeepsUnknownKeysAndForgetsItsOwnWhenTheyEmpty) {
  const std::string before = R"({"paused":true,"scheduledResume":"2026-11-22T08:35:12.830Z","reason":"old","color":{"a":[1]},"by":"bob"})";
  EXPECT_EQ(format_state({.paused = false, .by = "alice"}, before), R"({"paused":false,"by":"alice","color":{"a":[1]}})");
}

TEST(DesiredStateCodec, WritesWhatItReads) {
  const DesiredState state{true, kDate, "why \"so\"", "bob", kDate};
  EXPECT_EQ(parse_state(format_state(state, ""))->desired, state);
  EXPECT_EQ(format_state({}, "null"), R"({"paused":false})");
}

}  // namespace
}  // namespace fermata::control
