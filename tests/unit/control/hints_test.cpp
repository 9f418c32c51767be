#include "control/hints.hpp"

#include "base/time_format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const WallTime kDate = *parse_rfc3339("2026-11-22T08:35:12.830Z");

TEST(Hints, AreBackbeatsCommandsWithAMarker) {
  const DesiredState running;
  const DesiredState paused{.paused = true};
  const DesiredState scheduled{.paused = true, .scheduled_resume = kDate};
  EXPECT_THAT(hints_for(running, paused, 7), ElementsAre(R"({"action":"pauseService","revision":7})"));
  EXPECT_THAT(hints_for(paused, running, 8), ElementsAre(R"({"action":"resumeService","revision":8})"));
  EXPECT_THAT(hints_for(paused, scheduled, 9), ElementsAre(R"({"action":"resumeService","date":"2026-11-22T08:35:12.830Z","revision":9})"));
  EXPECT_THAT(hints_for(scheduled, paused, 9), ElementsAre(R"({"action":"deleteScheduledResumeService","revision":9})"));
}

TEST(Hints, AreNeverCarriedOut) {
  for (const char* text : {R"({"action":"pauseService","revision":7})", R"({"revision":7})"}) {
    const Message message = parse_message(text);
    EXPECT_EQ(message.kind, Message::Kind::kHint);
    EXPECT_EQ(message.revision, 7);
  }
  EXPECT_EQ(parse_message(R"({"action":"pauseService","revision":"x"})").revision, StateWrite::kAnyVersion);
}

TEST(ForeignMessages, AreCommands) {
  EXPECT_EQ(parse_message(R"({"action":"pauseService","extra":1})").command, Change::Kind::kPause);
  EXPECT_EQ(parse_message(R"({"action":"resumeService"})").command, Change::Kind::kResume);
  EXPECT_EQ(parse_message(R"({"action":"deleteScheduledResumeService"})").command, Change::Kind::kUnschedule);
  const Message message = parse_message(R"({"action":"resumeService","date":"2026-11-22T08:35:12.830Z"})");
  EXPECT_EQ(message.kind, Message::Kind::kCommand);
  EXPECT_EQ(message.command, Change::Kind::kSchedule);
  EXPECT_EQ(message.at, kDate);
}

TEST(ForeignMessages, AreIgnoredWhenTheyMeanNothing) {
  for (const char* text : {"", "pauseService", "null", "[]", "{}", R"({"action":"PauseService"})", R"({"action":1})"})
    EXPECT_EQ(parse_message(text).kind, Message::Kind::kIgnored) << text;
}

TEST(ForeignMessages, AreRefusedWhenTheirDateIsNone) {
  for (const char* date : {"\"soon\"", "null", "1795000000000", "\"\""}) {
    const Message message = parse_message(std::string(R"({"action":"resumeService","date":)") + date + "}");
    EXPECT_EQ(message.kind, Message::Kind::kRefused) << date;
    EXPECT_THAT(message.problem, HasSubstr(date));
  }
}

}  // namespace
}  // namespace fermata::control
