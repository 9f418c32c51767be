#include "api_fixture.hpp"

#include <set>

namespace fermata::rest {
namespace {

using control::ObservedState;

class V1Api : public ApiTest {
 protected:
  static constexpr std::string_view kParis = "/api/v1/services/crr/locations/paris";
  static std::string paris(std::string_view suffix) { return std::string(kParis).append(suffix); }

  void expect_problem(const Answer& answer, int status, const std::string& words) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.content_type, "application/problem+json");
    const auto json = answer.json();
    EXPECT_EQ(json.at("status"), status);
    EXPECT_TRUE(json.at("type").is_string() && json.at("title").is_string() && json.at("instance").is_string());
    EXPECT_THAT(answer.detail(), HasSubstr(words));
  }
  std::vector<std::string> names(const Answer& answer) {
    std::vector<std::string> found;
    const auto json = answer.json();
    for (const auto& one : json.at("locations").as_array()) found.emplace_back(one.at("name").as_string());
    return found;
  }
};

TEST_F(V1Api, ListsServices) {
  EXPECT_EQ(
      ask("GET", "/api/v1/services").body,
      R"({"services":[{"name":"crr","locations":3,"paused":0,"scheduled":0},{"name":"ingestion","locations":1,"paused":1,"scheduled":0}]})");
  const auto crr = ask("GET", "/api/v1/services/crr").json();
  EXPECT_EQ(crr.at("locations"), 3);
  EXPECT_EQ(crr.at("topic"), "backbeat-replication");
  EXPECT_EQ(crr.at("states").at("running"), 3);
  expect_problem(ask("GET", "/api/v1/services/nope"), 404, "nope");
}

TEST_F(V1Api, ShowsALocationWithItsNodes) {
  crr_.observe_as("paris", control::LocationObservation{.state = ObservedState::kDegraded,
                                                        .in_flight = 1,
                                                        .retrying = 2,
                                                        .lag = 3,
                                                        .processed = 4,
                                                        .failed = 5,
                                                        .message = "target is slow",
                                                        .last_error = "timed out",
                                                        .last_error_at = executor_.now(),
                                                        .details_json = R"({"target":"up"})"});
  executor_.advance(2s);
  const auto json = ask("GET", kParis).json();
  EXPECT_EQ(json.at("name"), "paris");
  EXPECT_EQ(json.at("state"), "degraded");
  EXPECT_EQ(json.at("desired").at("paused"), false);
  EXPECT_TRUE(json.at("desired").at("scheduledResume").is_null());
  const auto node = json.at("nodes").at(0);
  EXPECT_EQ(node.at("node"), "node-1");
  EXPECT_EQ(node.at("state"), "degraded");
  EXPECT_EQ(node.at("inFlight"), 1);
  EXPECT_EQ(node.at("retrying"), 2);
  EXPECT_EQ(node.at("lag"), 3);
  EXPECT_EQ(node.at("processed"), 4);
  EXPECT_EQ(node.at("failed"), 5);
  EXPECT_EQ(json.at("failed"), 5);
  EXPECT_EQ(node.at("message"), "target is slow");
  EXPECT_EQ(node.at("lastError"), "timed out");
  EXPECT_EQ(node.at("lastErrorAt").as_string().size(), 24u);
  EXPECT_EQ(node.at("details").at("target"), "up");
}

TEST_F(V1Api, APluginsBrokenDetailsDoNotBreakTheAnswer) {
  crr_.observe_as("paris", control::LocationObservation{.state = ObservedState::kRunning, .details_json = "{broken"});
  EXPECT_EQ(ask("GET", kParis).json().at("nodes").at(0).at("details"), "{broken");
}

TEST_F(V1Api, FindsLocationsWithAnyNameAndExplainsThoseItDoesNot) {
  EXPECT_EQ(ask("GET", "/api/v1/services/crr/locations/a%2Bb%20%C3%A9").json().at("name"), "a+b é");
  EXPECT_EQ(ask("POST", "/api/v1/services/crr/locations/a%2Bb%20%C3%A9/pause").status, 200);
  EXPECT_TRUE(desired("a+b é").paused);
  expect_problem(ask("GET", "/api/v1/services/crr/locations/a/b"), 404, "nothing is served");
  expect_problem(ask("GET", "/api/v1/services/crr/locations/nope%20x"), 404, "nope x");
  EXPECT_EQ(ask("GET", "/api/v1/services/crr/locations/nope%20x").json().at("instance"), "/api/v1/services/crr/locations/nope%20x");
  EXPECT_EQ(ask("GET", "/api/v1/services/crr/locations/%FF").status, 404);
}

TEST_F(V1Api, PagesThroughLocationsInConfigurationOrder) {
  const std::string list = "/api/v1/services/crr/locations";
  EXPECT_THAT(names(ask("GET", list)), ElementsAre("paris", "london", "a+b é"));
  EXPECT_TRUE(ask("GET", list).json().at("next").is_null());
  const auto first = ask("GET", list + "?limit=2");
  EXPECT_THAT(names(first), ElementsAre("paris", "london"));
  EXPECT_EQ(first.json().at("next"), "london");
  const auto second = ask("GET", list + "?limit=2&after=london");
  EXPECT_THAT(names(second), ElementsAre("a+b é"));
  EXPECT_TRUE(second.json().at("next").is_null());
  EXPECT_TRUE(ask("GET", list + "?limit=3").json().at("next").is_null());
  EXPECT_THAT(names(ask("GET", list + "?after=a%2Bb%20%C3%A9")), ElementsAre());
}

TEST_F(V1Api, FiltersLocationsByState) {
  ask("POST", paris("/pause"));
  EXPECT_THAT(names(ask("GET", "/api/v1/services/crr/locations?state=paused")), ElementsAre("paris"));
  EXPECT_THAT(names(ask("GET", "/api/v1/services/crr/locations?state=running&limit=1")), ElementsAre("london"));
  EXPECT_EQ(ask("GET", "/api/v1/services/crr/locations?state=running&limit=1").json().at("next"), "london");
}

TEST_F(V1Api, RefusesQueriesThatItDoesNotUnderstand) {
  const std::string list = "/api/v1/services/crr/locations?";
  expect_problem(ask("GET", list + "state=asleep"), 400, "'state'");
  expect_problem(ask("GET", list + "limit=0"), 400, "'limit'");
  expect_problem(ask("GET", list + "limit=10001"), 400, "'limit'");
  expect_problem(ask("GET", list + "limit=1&limit=2"), 400, "'limit' is given twice");
  expect_problem(ask("GET", list + "after=nope"), 400, "'after'");
  expect_problem(ask("GET", list + "colour=red"), 400, "'colour'");
  expect_problem(ask("GET", list + "after=%"), 400, "'after'");
  expect_problem(ask("POST", paris("/pause?wait=soon")), 400, "'wait'");
  expect_problem(ask("POST", paris("/pause?wait=11m")), 400, "'wait'");
  expect_problem(ask("POST", paris("/pause?reason=x")), 400, "'reason'");
  EXPECT_FALSE(desired("paris").paused);
}

TEST_F(V1Api, PausesWithAReasonAndTheNameOfWhoAsked) {
  const auto answer = ask("POST", paris("/pause"), R"({"reason":"maintenance"})", {{"X-Fermata-By", "alice@ops"}});
  EXPECT_EQ(answer.status, 200);
  const auto one = answer.json().at("locations").at(0);
  EXPECT_EQ(one.at("name"), "paris");
  EXPECT_EQ(one.at("changed"), true);
  EXPECT_EQ(one.at("desired").at("reason"), "maintenance");
  EXPECT_EQ(one.at("desired").at("by"), "alice@ops");
  EXPECT_FALSE(answer.json().as_object().contains("converged"));
  EXPECT_EQ(ask("POST", paris("/pause")).json().at("locations").at(0).at("changed"), false);
  EXPECT_EQ(ask("GET", kParis).json().at("state"), "paused");
}

TEST_F(V1Api, CutsALongNameOfWhoAskedBetweenCharacters) {
  ask("POST", paris("/pause"), "", {{"X-Fermata-By", std::string(254, 'y') + "ééé"}});
  EXPECT_EQ(desired("paris").by, std::string(254, 'y') + "é");
  ask("POST", paris("/resume"));
  ask("POST", paris("/pause"), "", {{"X-Fermata-By", std::string(255, 'y') + "é"}});
  EXPECT_EQ(desired("paris").by, std::string(255, 'y'));
}

TEST_F(V1Api, RefusesBodiesThatItDoesNotUnderstandAndNamesTheKey) {
  expect_problem(ask("POST", paris("/pause"), R"({"why":"x"})"), 400, "'why'");
  expect_problem(ask("POST", paris("/pause"), R"({"reason":5})"), 400, "'reason'");
  expect_problem(ask("POST", paris("/pause"), R"({"reason":")" + std::string(1'025, 'x') + "\"}"), 400, "'reason'");
  expect_problem(ask("POST", paris("/pause"), "[]"), 400, "JSON object");
  expect_problem(ask("POST", paris("/pause"), "{"), 400, "not JSON");
  expect_problem(ask("POST", paris("/resume"), R"({"hours":1})"), 400, "'hours'");
  EXPECT_FALSE(desired("paris").paused);
}

TEST_F(V1Api, WaitSaysThatTheClusterHasConverged) {
  const auto answer = ask("POST", paris("/pause?wait=30s"));
  EXPECT_EQ(answer.json().at("converged"), true);
  EXPECT_TRUE(answer.json().at("waiting").as_array().empty());
}

TEST_F(V1Api, WaitHoldsTheAnswerUntilTheClusterHasConverged) {
  crr_.hold();
  const auto answer = begin("POST", paris("/pause?wait=30s"));
  executor_.advance(5s);
  EXPECT_FALSE(answer->has_value());
  crr_.observe_as("paris", ObservedState::kPaused);
  executor_.advance(1s);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->json().at("converged"), true);
}

TEST_F(V1Api, WaitSaysWhoHasNotConverged) {
  crr_.hold();
  const auto one = begin("POST", paris("/pause?wait=5s"));
  executor_.advance(1s);
  crr_.observe_as("paris", control::LocationObservation{.state = ObservedState::kPausing, .in_flight = 7});
  executor_.advance(5s);
  ASSERT_TRUE(one->has_value());
  EXPECT_EQ((*one)->status, 200);
  EXPECT_EQ((*one)->json().at("converged"), false);
  EXPECT_EQ(boost::json::serialize((*one)->json().at("waiting")),
            R"([{"node":"node-1","location":"paris","state":"pausing","inFlight":7}])");
}

TEST_F(V1Api, WaitingForAllNamesOnlyTheLocationsThatHaveNotConverged) {
  crr_.hold();
  const auto answer = begin("POST", "/api/v1/services/crr/locations/all/pause?wait=5s");
  executor_.advance(1s);
  crr_.observe_as("paris", ObservedState::kPaused);
  crr_.observe_as("london", ObservedState::kPaused);
  executor_.advance(5s);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->json().at("converged"), false);
  const auto waiting = (*answer)->json().at("waiting");
  ASSERT_EQ(waiting.as_array().size(), 1u);
  EXPECT_EQ(waiting.at(0).at("location"), "a+b é");
}

TEST_F(V1Api, PausesAndResumesAll) {
  EXPECT_EQ(ask("POST", "/api/v1/services/crr/locations/all/pause").json().at("locations").as_array().size(), 3u);
  EXPECT_TRUE(desired("london").paused);
  EXPECT_EQ(ask("POST", "/api/v1/services/crr/locations/all/resume?wait=1s").json().at("converged"), true);
  EXPECT_FALSE(desired("london").paused);
  EXPECT_EQ(ask("GET", "/api/v1/services/crr/locations/all").status, 404) << "all is not a location that can be shown";
}

TEST_F(V1Api, SchedulesByHoursTimeAndDuration) {
  ask("POST", paris("/pause"));
  const auto scheduled = [&](const std::string& body) {
    const auto answer = ask("PUT", paris("/schedule"), body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return std::string(answer.json().at("locations").at(0).at("desired").at("scheduledResume").as_string());
  };
  std::string expected = in_hours(3);
  EXPECT_EQ(scheduled(R"({"hours":3})"), expected);
  expected = in_hours(4);
  EXPECT_EQ(scheduled(R"({"after":"4h","reason":"lunch"})"), expected);
  EXPECT_EQ(desired("paris").reason, "lunch");
  expected = in_hours(5);
  EXPECT_EQ(scheduled(R"({"at":")" + expected + "\"}"), expected);
  EXPECT_EQ(ask("GET", kParis).json().at("desired").at("scheduledResume").as_string(), expected.c_str());
}

TEST_F(V1Api, RefusesSchedulesThatMakeNoSense) {
  ask("POST", paris("/pause"));
  for (const auto& [body, words] : std::vector<std::pair<std::string, std::string>>{{"", "exactly one"},
                                                                                    {"{}", "exactly one"},
                                                                                    {R"({"hours":1,"after":"1h"})", "exactly one"},
                                                                                    {R"({"hours":0})", "'hours'"},
                                                                                    {R"({"hours":1.5})", "'hours'"},
                                                                                    {R"({"after":"soon"})", "'after'"},
                                                                                    {R"({"after":"0s"})", "'after'"},
                                                                                    {R"({"after":"4000d"})", "'after'"},
                                                                                    {R"({"after":5})", "'after'"},
                                                                                    {R"({"at":"tomorrow"})", "'at'"},
                                                                                    {R"({"at":"2020-01-01T00:00:00Z"})", "past"},
                                                                                    {R"({"at":"2200-01-01T00:00:00Z"})", "10 years"},
                                                                                    {R"({"at":"9999-01-01T00:00:00Z"})", "'at'"},
                                                                                    {R"({"at":"2020-13-01T00:00:00Z"})", "'at'"},
                                                                                    {R"({"hours":1,"wait":"5s"})", "'wait'"}})
    expect_problem(ask("PUT", paris("/schedule"), body), 400, words);
  EXPECT_FALSE(desired("paris").scheduled_resume.has_value());
}

TEST_F(V1Api, SchedulingALocationThatRunsIsAConflict) {
  expect_problem(ask("PUT", paris("/schedule"), R"({"hours":1})"), 409, "not paused");
  expect_problem(ask("PUT", "/api/v1/services/crr/locations/all/schedule", R"({"hours":1})"), 409, "not paused");
  ask("POST", paris("/pause"));
  EXPECT_EQ(ask("PUT", "/api/v1/services/crr/locations/all/schedule", R"({"hours":1})").status, 200) << "one of them is paused";
  EXPECT_TRUE(desired("paris").scheduled_resume.has_value());
  EXPECT_FALSE(desired("london").scheduled_resume.has_value());
}

TEST_F(V1Api, ForgetsASchedule) {
  ask("POST", paris("/pause"));
  ask("PUT", paris("/schedule"), R"({"hours":1})");
  EXPECT_EQ(ask("DELETE", paris("/schedule")).status, 200);
  EXPECT_FALSE(desired("paris").scheduled_resume.has_value());
  EXPECT_TRUE(desired("paris").paused);
}

TEST_F(V1Api, UnknownTargetsAre404BeforeAnythingElse) {
  lose_store();
  for (const auto* path : {"/api/v1/services/nope/locations/paris/pause", "/api/v1/services/crr/locations/nope/pause?wait=x"})
    expect_problem(ask("POST", path, "{broken"), 404, "nope");
  expect_problem(ask("GET", "/api/v1/services/nope/locations"), 404, "nope");
  expect_problem(ask("POST", paris("/pause"), "{broken"), 400, "not JSON");
  expect_problem(ask("POST", paris("/pause")), 503, "the disk is gone");
  expect_problem(ask("PUT", paris("/schedule"), R"({"hours":1})"), 503, "the disk is gone");
}

TEST_F(V1Api, RefusesTheWrongMethodWithAProblem) {
  expect_problem(ask("GET", paris("/pause")), 405, "GET");
  expect_problem(ask("PATCH", "/api/v1/services"), 405, "PATCH");
  expect_problem(ask("GET", "/api/v1/nothing"), 404, "/api/v1/nothing");
  expect_problem(ask("POST", "/livez"), 405, "POST");
}

TEST_F(V1Api, ListsAndRetriesFailedRecords) {
  for (const auto* id : {"t/0/1", "t/0/2", "t/0/3"})
    host_.store[id] = {.id = id,
                       .topic = "t",
                       .processor = "copy",
                       .key = "b/o",
                       .value = std::string(5'000, 'v'),
                       .reason = "no space",
                       .attempts = 10,
                       .failed_at = executor_.now()};
  const auto page = ask("GET", paris("/failed?limit=2"));
  EXPECT_EQ(page.json().at("next"), "t/0/2");
  const auto record = page.json().at("records").at(0);
  EXPECT_EQ(record.at("id"), "t/0/1");
  EXPECT_EQ(record.at("reason"), "no space");
  EXPECT_EQ(record.at("value").as_string().size(), 4'096u);
  EXPECT_EQ(record.at("valueBytes"), 5'000);
  EXPECT_EQ(ask("GET", paris("/failed?after=t%2F0%2F2")).json().at("records").as_array().size(), 1u);
  EXPECT_EQ(ask("POST", paris("/failed/retry"), R"({"ids":["t/0/1","unknown"]})").body, R"({"retried":1,"more":false})");
  EXPECT_EQ(ask("POST", paris("/failed/retry"), R"({"all":true})").body, R"({"retried":2,"more":false})");
  EXPECT_TRUE(host_.store.empty());
}

TEST_F(V1Api, RetriesAllPageByPage) {
  for (int i = 0; i < 2'500; ++i) {
    const std::string id = "t/0/" + std::to_string(10'000 + i);
    host_.store[id] = {.id = id, .topic = {}, .processor = {}, .key = {}, .value = {}, .reason = {}, .failed_at = {}};
  }
  EXPECT_EQ(ask("POST", paris("/failed/retry"), R"({"all":true})").body, R"({"retried":2500,"more":false})");
}

TEST_F(V1Api, RefusesRetriesThatMakeNoSense) {
  for (const auto* body : {"", "{}", R"({"ids":[]})", R"({"ids":"x"})", R"({"ids":[null]})", R"({"all":false})", R"({"all":1})",
                           R"({"ids":["x"],"all":true})", R"({"id":"x"})"})
    EXPECT_EQ(ask("POST", paris("/failed/retry"), body).status, 400) << body;
  expect_problem(ask("GET", "/api/v1/services/crr/locations/nope/failed"), 404, "nope");
}

TEST_F(V1Api, ListsUnderAllWhatProcessorsWithoutALocationGaveUp) {
  const auto answer = ask("GET", "/api/v1/services/crr/locations/all/failed");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(host_.asked_location, "");
}

TEST_F(V1Api, PagesThroughTheAuditTrail) {
  ask("POST", paris("/pause"), R"({"reason":"one"})");
  executor_.advance(1s);
  ask("POST", paris("/resume"), R"({"reason":"two"})");
  const auto first = ask("GET", "/api/v1/audit?limit=1").json();
  ASSERT_EQ(first.at("entries").as_array().size(), 1u);
  EXPECT_EQ(first.at("entries").at(0).at("reason"), "two");
  EXPECT_EQ(first.at("entries").at(0).at("action"), "resume");
  EXPECT_EQ(first.at("entries").at(0).at("location"), "paris");
  const auto second = ask("GET", "/api/v1/audit?before=" + std::string(first.at("next").as_string())).json();
  EXPECT_EQ(second.at("entries").at(0).at("reason"), "one");
  EXPECT_TRUE(second.at("next").is_null());
  expect_problem(ask("GET", "/api/v1/audit?limit=none"), 400, "'limit'");
}

TEST_F(V1Api, ShowsPluginsNodesAndVersion) {
  host_.shown_plugins = {{.service = "crr",
                          .name = "crr",
                          .version = "1.0",
                          .description = "d",
                          .path = "/p/crr.so",
                          .abi_major = 1,
                          .abi_minor = 0,
                          .state = "running",
                          .error = "",
                          .commands = {{"object", "GET", "objects/{argument}", "Shows an object"}}}};
  EXPECT_EQ(
      ask("GET", "/api/v1/plugins").body,
      R"({"plugins":[{"service":"crr","name":"crr","version":"1.0","description":"d","path":"/p/crr.so","abi":"1.0","state":"running","error":"",)"
      R"("commands":[{"name":"object","method":"GET","path":"objects/{argument}","summary":"Shows an object"}]}]})");
  const auto node = ask("GET", "/api/v1/nodes").json().at("nodes").at(0);
  EXPECT_EQ(node.at("id"), "node-1");
  EXPECT_EQ(node.at("address"), "http://node-1");
  EXPECT_EQ(node.at("self"), true);
  EXPECT_EQ(ask("GET", "/api/v1/version").body, R"({"name":"fermata","version":"1.2.3","node":"node-1","abi":"1.1"})");
}

TEST_F(V1Api, TellsLivenessFromReadiness) {
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  host_.reasons = {"state store: no session", "plugin crr: failed"};
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  const auto answer = ask("GET", "/readyz");
  expect_problem(answer, 503, "state store: no session; plugin crr: failed");
  EXPECT_EQ(answer.json().at("reasons").as_array().size(), 2u);
}

using Routes = std::set<std::pair<std::string, std::string>>;

TEST_F(V1Api, TheOpenApiPageNamesEveryRouteAndNoOther) {
  Routes described;
  const auto page = ask("GET", "/openapi.json").json();
  for (const auto& [path, operations] : page.at("paths").as_object())
    for (const auto& [method, operation] : operations.as_object()) {
      std::string upper(method);
      for (auto& letter : upper) letter = static_cast<char>(std::toupper(letter));
      if (method != "parameters") described.emplace(upper, path);
    }
  constexpr std::string_view kLong = "/_/backbeat/api/";
  Routes served;
  Routes short_twins;
  for (const auto& [method, pattern] : router_.routes()) {
    const bool is_short = pattern.starts_with("/_/") && !pattern.starts_with(kLong);
    if (is_short)
      short_twins.emplace(method, std::string(kLong) + pattern.substr(3));
    else
      served.emplace(method, pattern);
  }
  EXPECT_EQ(described, served);
  for (const auto& route : served) {
    if (!route.second.starts_with(kLong)) continue;
    EXPECT_EQ(short_twins.erase(route), 1u) << route.second;
  }
  EXPECT_TRUE(short_twins.empty()) << "the short prefix has the same routes as the long one";
}

TEST_F(V1Api, TheOpenApiPageRefersOnlyToWhatItDefines) {
  const auto page = ask("GET", "/openapi.json");
  const auto json = page.json();
  EXPECT_TRUE(std::string_view(json.at("openapi").as_string()).starts_with("3.1"));
  std::size_t references = 0;
  for (std::size_t at = page.body.find("#/"); at != std::string::npos; at = page.body.find("#/", at + 1)) {
    const std::string pointer = page.body.substr(at + 1, page.body.find('"', at) - at - 1);
    boost::system::error_code error;
    EXPECT_NE(json.find_pointer(pointer, error), nullptr) << pointer;
    ++references;
  }
  EXPECT_GT(references, 50u);
}

}  // namespace
}  // namespace fermata::rest
