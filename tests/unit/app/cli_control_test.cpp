#include "fake_daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::app {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

const std::string kParis = "/api/v1/services/crr/locations/paris";
constexpr auto kChanged = R"({"locations":[{"name":"paris","changed":true,"desired":{"paused":true}}]})";

TEST(CliControl, PauseSendsTheReasonAndWhoAsks) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/pause", kChanged);
  EXPECT_EQ(daemon.run({"pause", "crr", "paris", "--reason", "new \"disks\""}), kExitOk) << daemon.err();
  ASSERT_EQ(daemon.requests.size(), 1u);
  EXPECT_EQ(daemon.requests[0].body, R"({"reason":"new \"disks\""})");
  EXPECT_THAT(daemon.requests[0].headers, Contains(Pair("X-Fermata-By", "alice@desk")));
  EXPECT_THAT(daemon.out(), HasSubstr("crr/paris: pausing"));
}

TEST(CliControl, WaitGivesTheDaemonTheTimeItAsksFor) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/pause?wait=2m", R"({"locations":[{"name":"paris","changed":true}],"converged":true,"waiting":[]})");
  EXPECT_EQ(daemon.run({"pause", "crr", "paris", "--wait", "2m"}), kExitOk) << daemon.err();
  EXPECT_GE(daemon.requests[0].timeout, std::chrono::minutes(2));
  EXPECT_THAT(daemon.out(), HasSubstr("crr/paris: paused, nothing is in flight"));
}

TEST(CliControl, WhatHasNotConvergedFailsAndSaysWhoIsLate) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/pause?wait=1s",
                R"({"locations":[],"converged":false,"waiting":[{"node":"n1","location":"paris","state":"pausing","inFlight":3}]})");
  EXPECT_EQ(daemon.run({"pause", "crr", "paris", "--wait", "1s"}), kExitFailed);
  EXPECT_THAT(daemon.err(), AllOf(HasSubstr("not converged"), HasSubstr("n1    paris     pausing  3")));
}

TEST(CliControl, WhatWasSoAlreadyIsSaid) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/resume", R"({"locations":[{"name":"paris","changed":false}]})");
  EXPECT_EQ(daemon.run({"resume", "crr", "paris"}), kExitOk);
  EXPECT_THAT(daemon.out(), HasSubstr("crr/paris: resuming (it was asked for already)"));
}

TEST(CliControl, ScheduleTakesOneOfThreeForms) {
  FakeDaemon daemon;
  daemon.answer(
      "PUT " + kParis + "/schedule",
      R"({"locations":[{"name":"paris","changed":true,"desired":{"paused":true,"scheduledResume":"2026-11-23T01:00:00.000Z"}}]})");
  EXPECT_EQ(daemon.run({"schedule", "crr", "paris", "--hours", "6"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.requests.back().body, R"({"hours":6})");
  EXPECT_THAT(daemon.out(), HasSubstr("crr/paris: resumes at 2026-11-23T01:00:00.000Z"));
  EXPECT_EQ(daemon.run({"schedule", "crr", "paris", "--at", "2026-11-23T02:00:00+01:00"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.requests.back().body, R"({"at":"2026-11-23T02:00:00+01:00"})");
  EXPECT_EQ(daemon.run({"schedule", "crr", "paris", "--after", "90m"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.requests.back().body, R"({"after":"90m"})");
}

TEST(CliControl, AWrongScheduleIsAUsageErrorAndAsksNothing) {
  FakeDaemon daemon;
  for (const std::vector<std::string>& when : std::vector<std::vector<std::string>>{{},
                                                                                    {"--hours", "0"},
                                                                                    {"--hours", "1.5"},
                                                                                    {"--hours", "87601"},
                                                                                    {"--at", "tomorrow"},
                                                                                    {"--after", "6"},
                                                                                    {"--hours", "1", "--after", "1h"}}) {
    std::vector<std::string> line{"schedule", "crr", "paris"};
    line.insert(line.end(), when.begin(), when.end());
    EXPECT_EQ(daemon.run(line), kExitUsage) << ::testing::PrintToString(when);
  }
  EXPECT_TRUE(daemon.requests.empty());
}

TEST(CliControl, UnscheduleDeletes) {
  FakeDaemon daemon;
  daemon.answer("DELETE " + kParis + "/schedule", kChanged);
  EXPECT_EQ(daemon.run({"unschedule", "crr", "paris"}), kExitOk);
}

TEST(CliControl, NamesAreEncodedInThePath) {
  FakeDaemon daemon;
  daemon.answer("POST /api/v1/services/crr/locations/a%20b%25/pause", kChanged);
  EXPECT_EQ(daemon.run({"pause", "crr", "a b%"}), kExitOk) << daemon.err();
}

TEST(CliControl, ExitCodesSayWhatHappened) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/pause", R"({"status":409,"detail":"not now"})", 409);
  EXPECT_EQ(daemon.run({"pause", "crr", "paris"}), kExitRefused);
  EXPECT_EQ(daemon.err(), "fermata: not now\n");
  daemon.answer("POST " + kParis + "/pause", R"({"status":503,"detail":"state store: down"})", 503);
  EXPECT_EQ(daemon.run({"pause", "crr", "paris"}), kExitFailed);
  EXPECT_EQ(daemon.run({"pause", "crr", "nowhere"}), kExitNotFound);
  daemon.go_away();
  EXPECT_EQ(daemon.run({"pause", "crr", "paris"}), kExitUnreachable);
}

TEST(CliControl, JsonIsWhatTheApiSaidAndQuietSaysNothing) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/pause", kChanged);
  EXPECT_EQ(daemon.run({"--json", "pause", "crr", "paris"}), kExitOk);
  EXPECT_EQ(daemon.out(), std::string(kChanged) + "\n");
  EXPECT_EQ(daemon.run({"pause", "crr", "paris", "-q"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.out(), "");
}

TEST(CliControl, FailedRecordsAreListedOverAllPages) {
  FakeDaemon daemon;
  daemon.answer("GET " + kParis + "/failed?limit=1000",
                R"({"records":[{"id":"1","key":"b/x","reason":"no\nway","attempts":3}],"next":"1"})");
  daemon.answer("GET " + kParis + "/failed?limit=1000&after=1", R"({"records":[{"id":"2","key":"b/y","reason":"gone"}],"next":null})");
  EXPECT_EQ(daemon.run({"failed", "crr", "paris"}), kExitOk) << daemon.err();
  EXPECT_THAT(daemon.out(), AllOf(HasSubstr("b/x"), HasSubstr("no\\nway"), HasSubstr("b/y")));
}

TEST(CliControl, RetryAllGoesOnUntilNoneIsLeft) {
  FakeDaemon daemon;
  daemon.answer_in_turn("POST " + kParis + "/failed/retry", {R"({"retried":1000,"more":true})", R"({"retried":5,"more":false})"});
  EXPECT_EQ(daemon.run({"retry", "crr", "paris", "--all"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.requests.size(), 2u);
  EXPECT_EQ(daemon.requests[0].body, R"({"all":true})");
  EXPECT_EQ(daemon.out(), "crr/paris: 1005 failed records queued again\n");
}

TEST(CliControl, RetryOfIdsThatAreNotThereIsNotFound) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/failed/retry", R"({"retried":0,"more":false})");
  EXPECT_EQ(daemon.run({"retry", "crr", "paris", "7"}), kExitNotFound);
  EXPECT_EQ(daemon.out(), "");
  EXPECT_NE(daemon.err().find("no failed record has such an id"), std::string::npos) << daemon.err();
  EXPECT_EQ(daemon.run({"retry", "crr", "paris", "7", "--json"}), kExitNotFound);
  EXPECT_EQ(daemon.out(), "{\"retried\":0}\n");
  EXPECT_EQ(daemon.run({"retry", "crr", "paris", "--all"}), kExitOk) << "to have nothing to retry is no failure";
}

TEST(CliControl, RetryTakesIdsOrAllButNotNeither) {
  FakeDaemon daemon;
  daemon.answer("POST " + kParis + "/failed/retry", R"({"retried":2,"more":false})");
  EXPECT_EQ(daemon.run({"retry", "crr", "paris", "7", "8"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.requests[0].body, R"({"ids":["7","8"]})");
  EXPECT_EQ(daemon.run({"retry", "crr", "paris"}), kExitUsage);
}

}  // namespace
}  // namespace fermata::app
