#include "api_fixture.hpp"

namespace fermata::rest {
namespace {

class BackbeatApi : public ApiTest {};

TEST_F(BackbeatApi, ShowsStatusInConfigurationOrder) {
  EXPECT_EQ(ask("GET", "/_/crr/status").body, R"({"paris":"enabled","london":"enabled","a+b é":"enabled"})");
  EXPECT_EQ(ask("GET", "/_/ingestion/status").body, R"({"oslo":"disabled"})");
  EXPECT_EQ(ask("GET", "/_/crr/status/london").body, R"({"london":"enabled"})");
  EXPECT_EQ(ask("GET", "/_/crr/status/all").body, ask("GET", "/_/crr/status").body);
  EXPECT_EQ(ask("GET", "/_/crr/status").content_type, "application/json");
}

TEST_F(BackbeatApi, AnswersBelowBothPrefixes) {
  for (const auto* prefix : {"/_/", "/_/backbeat/api/", "/_//"})
    EXPECT_EQ(ask("GET", prefix + std::string("ingestion/status")).body, R"({"oslo":"disabled"})");
  EXPECT_EQ(ask("GET", "/_/backbeat/ingestion/status").status, 404);
  EXPECT_EQ(ask("GET", "/ingestion/status").status, 404);
}

TEST_F(BackbeatApi, TheStatusOfAllFollowsEveryChange) {
  EXPECT_EQ(ask("GET", "/_/crr/status").json().at("paris"), "enabled");
  EXPECT_EQ(ask("POST", "/_/crr/pause/paris").status, 200);
  EXPECT_EQ(ask("GET", "/_/crr/status").json().at("paris"), "disabled");
  EXPECT_EQ(ask("GET", "/_/crr/status").json().at("london"), "enabled");
  EXPECT_EQ(ask("POST", "/_/crr/resume/paris").status, 200);
  EXPECT_EQ(ask("GET", "/_/crr/status").json().at("paris"), "enabled");
}

TEST_F(BackbeatApi, PausesAndResumesOneOrAllAndIgnoresTheBody) {
  for (const auto* suffix : {"", "/all", "/"}) {
    EXPECT_EQ(ask("POST", "/_/crr/pause" + std::string(suffix), "not json").body, "{}") << suffix;
    EXPECT_TRUE(desired("paris").paused && desired("london").paused) << suffix;
    EXPECT_EQ(ask("POST", "/_/crr/resume" + std::string(suffix), "[1").body, "{}") << suffix;
    EXPECT_FALSE(desired("paris").paused || desired("london").paused) << suffix;
  }
  EXPECT_EQ(ask("POST", "/_/crr/pause/london").body, "{}");
  EXPECT_TRUE(desired("london").paused);
  EXPECT_FALSE(desired("paris").paused);
}

TEST_F(BackbeatApi, DecodesNamesOnceAndComparesCase) {
  EXPECT_EQ(ask("POST", "/_/crr/pause/a%2Bb%20%C3%A9").status, 200);
  EXPECT_TRUE(desired("a+b é").paused);
  EXPECT_EQ(ask("GET", "/_/crr/status/p%61ris").status, 200);
  EXPECT_EQ(ask("GET", "/_/crr/status/p%2561ris").status, 404);
  EXPECT_EQ(ask("GET", "/_/crr/status/Paris").status, 404);
  EXPECT_EQ(ask("GET", "/_/CRR/status").status, 404);
}

TEST_F(BackbeatApi, SchedulesAResumeSixHoursAheadUnlessToldOtherwise) {
  ask("POST", "/_/crr/pause");
  for (const auto& [body, hours] : std::vector<std::pair<std::string, int>>{{"", 6},
                                                                            {"{}", 6},
                                                                            {R"({"other":1})", 6},
                                                                            {R"({"hours":1})", 1},
                                                                            {R"({"hours":"24"})", 24},
                                                                            {R"({"hours":87600})", 87'600},
                                                                            {R"({"hours":2.0})", 2}}) {
    const std::string date = in_hours(hours);
    EXPECT_EQ(ask("POST", "/_/crr/resume/paris/schedule", body).body, "{}") << body;
    EXPECT_EQ(ask("GET", "/_/crr/resume/paris").body, R"({"paris":")" + date + "\"}") << body;
  }
}

TEST_F(BackbeatApi, RefusesHoursThatAreNotHoursAndChangesNothing) {
  ask("POST", "/_/crr/pause");
  for (const auto* hours : {"true",  "false",   "null",   "\" \"",  "\"\"",   "[]",     "[6]",
                            "{}",    "2.4e9",   "1e400",  "1.5",    "1e21",   "0",      "-1",
                            "87601", "\"1.5\"", "\"-1\"", "\"6h\"", "\"+6\"", "\" 6\"", "\"99999999999999999999\"",
                            "NaN"}) {
    const auto answer = ask("POST", "/_/crr/resume/paris/schedule", R"({"hours":)" + std::string(hours) + "}");
    EXPECT_EQ(answer.status, 400) << hours;
    EXPECT_EQ(answer.error_name(), "MalformedPOSTRequest") << hours;
  }
  for (const auto* body : {"[]", "6", "{", "null", "hours=6", R"({"hours":6}x)"})
    EXPECT_EQ(ask("POST", "/_/crr/resume/paris/schedule", body).status, 400) << body;
  EXPECT_EQ(ask("GET", "/_/crr/resume").body, R"({"paris":"none","london":"none","a+b é":"none"})");
  EXPECT_TRUE(desired("paris").paused);
}

TEST_F(BackbeatApi, ShowsSchedulesOnAllItsRoutes) {
  ask("POST", "/_/crr/pause");
  const std::string date = in_hours(3);
  ask("POST", "/_/crr/resume/all/schedule", R"({"hours":3})");
  const std::string all = R"({"paris":")" + date + R"(","london":")" + date + R"(","a+b é":")" + date + "\"}";
  for (const auto* route : {"resume", "resume/all", "resume/all/schedule", "resume/schedule"})
    EXPECT_EQ(ask("GET", "/_/crr/" + std::string(route)).body, all) << route;
  for (const auto* route : {"resume/london", "resume/london/schedule"})
    EXPECT_EQ(ask("GET", "/_/crr/" + std::string(route)).body, R"({"london":")" + date + "\"}") << route;
}

TEST_F(BackbeatApi, DeletesSchedulesOnAllItsRoutesAndLeavesThePause) {
  for (const auto* route : {"resume", "resume/all", "resume/all/schedule", "resume/schedule", "resume/paris", "resume/paris/schedule"}) {
    ask("POST", "/_/crr/pause");
    ask("POST", "/_/crr/resume/paris/schedule");
    ASSERT_TRUE(desired("paris").scheduled_resume.has_value());
    EXPECT_EQ(ask("DELETE", "/_/crr/" + std::string(route)).body, "{}") << route;
    EXPECT_FALSE(desired("paris").scheduled_resume.has_value()) << route;
    EXPECT_TRUE(desired("paris").paused) << route;
  }
}

TEST_F(BackbeatApi, ReschedulingReplacesTheDate) {
  ask("POST", "/_/crr/pause/paris");
  ask("POST", "/_/crr/resume/paris/schedule", R"({"hours":1})");
  ask("POST", "/_/crr/resume/paris/schedule", R"({"hours":3})");
  executor_.advance(2h);
  EXPECT_TRUE(desired("paris").paused);
  executor_.advance(61min);
  EXPECT_FALSE(desired("paris").paused);
}

TEST_F(BackbeatApi, PausingAPausedLocationRemovesItsSchedule) {
  ask("POST", "/_/crr/pause/paris");
  ask("POST", "/_/crr/resume/paris/schedule");
  ask("POST", "/_/crr/pause/paris");
  EXPECT_EQ(ask("GET", "/_/crr/resume/paris").body, R"({"paris":"none"})");
}

TEST_F(BackbeatApi, SchedulingARunningLocationIsIgnored) {
  EXPECT_EQ(ask("POST", "/_/crr/resume/paris/schedule").body, "{}");
  EXPECT_EQ(ask("GET", "/_/crr/resume/paris").body, R"({"paris":"none"})");
}

TEST_F(BackbeatApi, PathsThatAreAlmostARouteDoNothing) {
  ask("POST", "/_/crr/pause");
  for (const auto* path :
       {"/_/crr/resume/paris/foo", "/_/crr/resume/paris/Schedule", "/_/crr/resume/paris//schedule", "/_/crr/resume/paris/schedule/x",
        "/_/crr/resume//schedule", "/_/crr/resume/schedule", "/_/crr/resume//paris", "/_/crr/resume/paris/%"}) {
    const auto answer = ask("POST", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.error_name(), "RouteNotFound") << path;
  }
  EXPECT_TRUE(desired("paris").paused && desired("london").paused);
  for (const auto* path :
       {"/_/crr/status/paris/x", "/_/crr/pause/paris/x", "/_/crr", "/_/", "/_", "/", "/_/healthcheck/x", "/_/monitoring", "/_/crr/nothing"})
    EXPECT_EQ(ask("GET", path).status, 404) << path;
}

TEST_F(BackbeatApi, UnknownServicesAndLocationsAre404AlsoWhenTheStoreIsDown) {
  const auto check = [this] {
    for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{{"GET", "/_/nope/status"},
                                                                                       {"GET", "/_/crr/status/nope"},
                                                                                       {"POST", "/_/nope/pause"},
                                                                                       {"POST", "/_/crr/pause/nope"},
                                                                                       {"POST", "/_/crr/resume/nope/schedule"},
                                                                                       {"POST", "/_/nope/resume/all/schedule"},
                                                                                       {"GET", "/_/nope/resume"},
                                                                                       {"GET", "/_/crr/resume/nope/schedule"},
                                                                                       {"DELETE", "/_/crr/resume/nope"},
                                                                                       {"DELETE", "/_/nope/resume"}}) {
      const auto answer = ask(method, path, R"({"hours":true})");
      EXPECT_EQ(answer.status, 404) << method << " " << path;
      EXPECT_EQ(answer.error_name(), "RouteNotFound");
      EXPECT_EQ(answer.json().at("code"), 404);
      EXPECT_THAT(answer.json().at("description").as_string().c_str(), HasSubstr("nope"));
    }
  };
  check();
  lose_store();
  check();
}

TEST_F(BackbeatApi, ChangesNothingWhenItCannotBeStored) {
  lose_store();
  for (const auto* path : {"/_/crr/pause", "/_/crr/pause/paris", "/_/crr/resume/paris", "/_/crr/resume/paris/schedule"}) {
    const auto answer = ask("POST", path);
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.error_name(), "ServiceUnavailable") << path;
    EXPECT_THAT(answer.body, HasSubstr("the disk is gone"));
  }
  EXPECT_EQ(ask("DELETE", "/_/crr/resume/paris").status, 503);
  EXPECT_EQ(ask("POST", "/_/crr/resume/paris/schedule", "[]").status, 400) << "the request is wrong, whatever the store does";
  EXPECT_EQ(ask("GET", "/_/crr/status/paris").body, R"({"paris":"enabled"})") << "what was known still is shown";
}

TEST_F(BackbeatApi, RefusesOtherMethodsBeforeItLooksAtTheRoute) {
  for (const auto* method : {"PUT", "PATCH", "TRACE", "get"})
    for (const auto* path : {"/_/crr/status", "/_/nowhere", "/elsewhere"}) {
      const auto answer = ask(method, path);
      EXPECT_EQ(answer.status, 405) << method << " " << path;
      EXPECT_EQ(answer.error_name(), "MethodNotAllowed");
    }
  EXPECT_EQ(ask("POST", "/_/crr/status").error_name(), "RouteNotFound");
  EXPECT_EQ(ask("DELETE", "/_/crr/pause/paris").error_name(), "RouteNotFound");
  EXPECT_EQ(ask("OPTIONS", "/_/crr/resume/paris/schedule").status, 204);
  EXPECT_EQ(ask("HEAD", "/_/crr/status").status, 200);
}

TEST_F(BackbeatApi, HealthcheckIsMadeOfWhatThereIs) {
  ASSERT_TRUE(queue_.ensure_topic("backbeat-replication", 2).is_ok());
  for (const auto* path : {"/_/healthcheck", "/_/backbeat/api/healthcheck"})
    EXPECT_EQ(
        ask("GET", path).body,
        R"({"topics":{"backbeat-replication":{"name":"backbeat-replication","partitions":[)"
        R"({"id":0,"leader":0,"replicas":[0],"isrs":[0]},{"id":1,"leader":0,"replicas":[0],"isrs":[0]}]}},)"
        R"("internalConnections":{"isrHealth":"ok","zookeeper":{"status":"ok","details":{"name":"SYNC_CONNECTED","code":3}},"kafkaProducer":{"status":"ok"}}})");
}

TEST_F(BackbeatApi, HealthcheckSaysWhatIsDown) {
  queue_.set_down("no broker");
  store_.set_down("no session");
  const auto answer = ask("GET", "/_/healthcheck");
  EXPECT_EQ(answer.status, 200);
  const auto connections = answer.json().at("internalConnections");
  EXPECT_EQ(connections.at("isrHealth"), "error");
  EXPECT_EQ(connections.at("zookeeper").at("status"), "error");
  EXPECT_EQ(connections.at("zookeeper").at("details").at("reason"), "no session");
  EXPECT_EQ(connections.at("kafkaProducer").at("status"), "error");
}

TEST_F(BackbeatApi, ServesMetricsAsText) {
  const auto series = metrics_.series(telemetry::MetricKind::kCounter, "fermata_test_total", "For this test.", {});
  ASSERT_TRUE(series.is_ok());
  (*series)->record(3);
  const auto answer = ask("GET", "/_/monitoring/metrics");
  EXPECT_THAT(answer.content_type, ::testing::StartsWith("text/plain"));
  EXPECT_THAT(answer.body, HasSubstr("fermata_test_total 3"));
}

TEST_F(BackbeatApi, SaysWhoAskedInTheAuditTrail) {
  ask("POST", "/_/crr/pause/paris", "", {{"X-Fermata-By", "alice@ops"}});
  ask("POST", "/_/crr/resume/paris");
  EXPECT_EQ(desired("paris").by, "rest:10.0.0.7");
  const auto entries = ask("GET", "/api/v1/audit").json().at("entries").as_array();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].at("by"), "alice@ops");
  EXPECT_EQ(entries[1].at("action"), "pause");
}

}  // namespace
}  // namespace fermata::rest
