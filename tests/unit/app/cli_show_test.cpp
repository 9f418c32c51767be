#include "fake_daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace fermata::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kParis =
    R"({"name":"paris","state":"paused","desired":{"paused":true,"reason":"disks","by":"alice","scheduledResume":"2026-11-23T01:00:00.000Z"},)"
    R"("failed":2,"nodes":[{"node":"n1","state":"paused","inFlight":0,"lag":4,"failed":2},{"node":"n2","state":"paused","inFlight":0,"lag":3,"failed":2}]})";
constexpr auto kRome = R"({"name":"rome","state":"degraded","desired":{"paused":false},"failed":0,)"
                       R"("nodes":[{"node":"n1","state":"degraded","inFlight":2,"message":"target\u001b[31m is away"}]})";

std::string list(const std::string& items, const std::string& next = "null") {
  return R"({"locations":[)" + items + R"(],"next":)" + next + "}";
}

FakeDaemon with_two_locations() {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/services", R"({"services":[{"name":"crr","locations":2}]})");
  daemon.answer("GET /api/v1/services/crr/locations?limit=1000", list(kParis, "\"paris\""));
  daemon.answer("GET /api/v1/services/crr/locations?limit=1000&after=paris", list(kRome));
  return daemon;
}

TEST(CliShow, StatusIsATableOverAllPagesWithSumsAndReasons) {
  auto daemon = with_two_locations();
  ASSERT_EQ(daemon.run({"status"}), kExitOk) << daemon.err();
  EXPECT_THAT(daemon.out(), HasSubstr("SERVICE  LOCATION  STATE     WANTED   IN FLIGHT  RETRYING  LAG  FAILED  NOTE\n"));
  EXPECT_THAT(
      daemon.out(),
      HasSubstr("crr      paris     paused    paused   0          0         7    2       disks (by alice); resumes at 2026-11-23T01:00"));
  EXPECT_THAT(daemon.out(), HasSubstr("crr      rome      degraded  running  2"));
}

TEST(CliShow, WhatNodesSayCannotDriveTheTerminal) {
  auto daemon = with_two_locations();
  ASSERT_EQ(daemon.run({"status", "crr"}), kExitOk);
  EXPECT_THAT(daemon.out(), AllOf(HasSubstr("target\\u001b[31m is away"), Not(HasSubstr("\x1b"))));
}

TEST(CliShow, StatusAsJsonHoldsAllPages) {
  auto daemon = with_two_locations();
  ASSERT_EQ(daemon.run({"status", "crr", "--json"}), kExitOk) << daemon.err();
  EXPECT_EQ(boost::json::parse(daemon.out()).at("locations").as_array().size(), 2u);
  ASSERT_EQ(daemon.run({"status", "--json"}), kExitOk);
  EXPECT_EQ(boost::json::parse(daemon.out()).at("services").as_array()[0].at("locations").as_array().size(), 2u);
}

TEST(CliShow, OneLocationIsShownWhole) {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/services/crr/locations/paris", kParis);
  ASSERT_EQ(daemon.run({"status", "crr", "paris"}), kExitOk) << daemon.err();
  EXPECT_THAT(daemon.out(), AllOf(HasSubstr("state: paused\n"), HasSubstr("desired:\n  paused: true\n"), HasSubstr("n2")));
  EXPECT_EQ(daemon.run({"status", "crr", "nowhere"}), kExitNotFound);
}

TEST(CliShow, PluginsNodesAndAuditAreTables) {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/plugins",
                R"({"plugins":[{"service":"crr","name":"crr","version":"1.2","abi":"1.0","state":"failed","error":"no entry"}]})");
  daemon.answer("GET /api/v1/nodes", R"({"nodes":[{"id":"n1","address":"http://127.0.0.1:1","version":"0.1.0"}]})");
  daemon.answer("GET /api/v1/audit?limit=50",
                R"({"entries":[{"at":"now","by":"bob","action":"pause","service":"crr","location":"paris"}]})");
  daemon.answer("GET /api/v1/audit?limit=2", R"({"entries":[]})");
  EXPECT_EQ(daemon.run({"plugins"}), kExitOk);
  EXPECT_THAT(daemon.out(), HasSubstr("crr      crr     1.2      1.0  failed        no entry\n"));
  EXPECT_EQ(daemon.run({"nodes"}), kExitOk);
  EXPECT_THAT(daemon.out(), HasSubstr("n1    http://127.0.0.1:1  0.1.0\n"));
  EXPECT_EQ(daemon.run({"audit"}), kExitOk);
  EXPECT_THAT(daemon.out(), HasSubstr("now  bob  pause   crr      paris\n"));
  EXPECT_EQ(daemon.run({"audit", "--limit", "2"}), kExitOk);
}

TEST(CliShow, NamesAreForCompletion) {
  auto daemon = with_two_locations();
  EXPECT_EQ(daemon.run({"names"}), kExitOk);
  EXPECT_EQ(daemon.out(), "crr\n");
  EXPECT_EQ(daemon.run({"names", "crr"}), kExitOk);
  EXPECT_EQ(daemon.out(), "paris\nrome\n");
}

FakeDaemon with_a_command() {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/plugins", R"({"plugins":[{"service":"crr","commands":[)"
                                       R"({"name":"object","method":"GET","path":"objects/{argument}","summary":"States of an object"},)"
                                       R"({"name":"rescan","method":"POST","path":"rescan","summary":"Scan anew"}]}]})");
  daemon.answer("GET /api/v1/services/crr/objects/photos/a%20b.jpg",
                R"({"key":"photos/a b.jpg","targets":[{"location":"paris","state":"COMPLETED"}]})");
  daemon.answer("POST /api/v1/services/crr/rescan", "{}");
  return daemon;
}

TEST(CliService, ACommandOfAPluginCallsItsRouteWithTheArgumentEncoded) {
  auto daemon = with_a_command();
  ASSERT_EQ(daemon.run({"crr", "object", "photos/a b.jpg"}), kExitOk) << daemon.err();
  EXPECT_EQ(daemon.out(), "key: photos/a b.jpg\ntargets:\n  location  state\n  paris     COMPLETED\n");
  EXPECT_EQ(daemon.run({"crr", "rescan"}), kExitOk) << daemon.err();
}

TEST(CliService, JsonMayBeAskedForOnEitherSide) {
  auto daemon = with_a_command();
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{{"--json", "crr", "object", "photos/a b.jpg"},
                                                                                    {"crr", "object", "photos/a b.jpg", "--json"}}) {
    ASSERT_EQ(daemon.run(line), kExitOk) << daemon.err();
    EXPECT_EQ(boost::json::parse(daemon.out()).at("key").as_string(), "photos/a b.jpg");
  }
}

TEST(CliService, AMistakeIsAnsweredWithTheCommandsThatThereAre) {
  auto daemon = with_a_command();
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"crr"}, {"crr", "objekt", "x"}, {"crr", "object"}, {"crr", "rescan", "x"}}) {
    EXPECT_EQ(daemon.run(line), kExitUsage) << ::testing::PrintToString(line);
    EXPECT_THAT(daemon.err(), AllOf(HasSubstr("object ARGUMENT  States of an object"), HasSubstr("rescan  Scan anew")));
  }
}

TEST(CliService, AFailedServiceSaysWhyItFailedInsteadOfHavingNoCommands) {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/plugins", R"({"plugins":[{"service":"crr","state":"failed","error":"no entry","commands":[]}]})");
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{{"crr"}, {"crr", "object", "x"}}) {
    EXPECT_EQ(daemon.run(line), kExitFailed) << ::testing::PrintToString(line);
    EXPECT_EQ(daemon.err(), "fermata: service 'crr' failed: no entry\n");
  }
}

TEST(CliService, ACommandThatAFailedServiceCannotAnswerSaysWhyItFailed) {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/plugins", R"({"plugins":[{"service":"crr","state":"failed","error":"start failed: no disk","commands":[)"
                                       R"({"name":"rescan","method":"POST","path":"rescan"}]}]})");
  daemon.answer("POST /api/v1/services/crr/rescan", "{}", 503);
  EXPECT_EQ(daemon.run({"crr", "rescan"}), kExitFailed);
  EXPECT_EQ(daemon.err(), "fermata: service 'crr' failed: start failed: no disk\n");
}

TEST(CliShow, QuietLeavesOutConfirmationsAndNotWhatOneAsksToSee) {
  auto daemon = with_two_locations();
  EXPECT_EQ(daemon.run({"status", "--quiet"}), kExitOk);
  EXPECT_THAT(daemon.out(), HasSubstr("paris"));
  auto commands = with_a_command();
  commands.answer("POST /api/v1/services/crr/rescan", R"({"queued":3})");
  EXPECT_EQ(commands.run({"crr", "object", "photos/a b.jpg", "-q"}), kExitOk);
  EXPECT_THAT(commands.out(), HasSubstr("paris"));
  EXPECT_EQ(commands.run({"crr", "rescan", "-q"}), kExitOk);
  EXPECT_EQ(commands.out(), "");
}

TEST(CliService, AnUnknownServiceOrObjectIsNotFound) {
  auto daemon = with_a_command();
  EXPECT_EQ(daemon.run({"nosuch", "object", "x"}), kExitNotFound);
  EXPECT_THAT(daemon.err(), HasSubstr("'nosuch' is neither a command nor a service"));
  EXPECT_EQ(daemon.run({"crr", "object", "photos/none"}), kExitNotFound);
}

}  // namespace
}  // namespace fermata::app
