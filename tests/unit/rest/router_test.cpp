#include "rest/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace fermata::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    router_.set_fallback([](const HttpRequest&, const std::vector<std::string>& allowed) {
      return HttpResponse{.status = allowed.empty() ? 404 : 405, .body = "fallback"};
    });
  }

  void route(std::string_view method, const std::string& pattern) {
    router_.route(method, pattern, [this, pattern](std::shared_ptr<const HttpRequest>, const RouteMatch& match, const Respond& respond) {
      match_ = match;
      respond({.body = pattern});
    });
  }
  Status add(std::string_view method, const std::string& pattern) {
    return router_.add("crr", method, pattern,
                       [this](std::shared_ptr<const HttpRequest>, std::string_view path, std::string_view rest, const Respond& respond) {
                         service_path_ = path;
                         service_rest_ = rest;
                         respond({.body = "service"});
                       });
  }
  HttpResponse ask(std::string method, std::string_view raw_path) {
    HttpResponse answer{.status = 0};
    auto request = std::make_shared<HttpRequest>();
    request->method = std::move(method);
    router_.dispatch(request, raw_path, [&](HttpResponse response) { answer = std::move(response); });
    path_ = request->path;
    return answer;
  }
  std::string allow(const HttpResponse& response) {
    for (const auto& [name, value] : response.headers)
      if (name == "Allow") return value;
    return {};
  }

  Router router_;
  RouteMatch match_;
  std::string path_;
  std::string service_path_;
  std::string service_rest_;
};

TEST_F(RouterTest, LiteralsWinOverParamsAndParamsOverTheRest) {
  route("GET", "/a/b");
  route("GET", "/a/{x}");
  route("GET", "/a/*");
  EXPECT_EQ(ask("GET", "/a/b").body, "/a/b");
  EXPECT_EQ(ask("GET", "/a/c").body, "/a/{x}");
  EXPECT_THAT(match_.params, ElementsAre("c"));
  EXPECT_EQ(ask("GET", "/a/c/d").body, "/a/*");
  EXPECT_EQ(match_.rest, "c/d");
  EXPECT_THAT(match_.params, IsEmpty()) << "params of a branch that led nowhere are forgotten";
}

TEST_F(RouterTest, FallsBackToAParamWhenTheLiteralLeadsNowhere) {
  route("GET", "/a/b/c");
  route("GET", "/a/{x}/d");
  EXPECT_EQ(ask("GET", "/a/b/d").body, "/a/{x}/d");
  EXPECT_THAT(match_.params, ElementsAre("b"));
}

TEST_F(RouterTest, DecodesEachSegmentOnce) {
  route("GET", "/a/{x}/e");
  EXPECT_EQ(ask("GET", "/a/one%2Ftwo%2520/e").status, 200);
  EXPECT_THAT(match_.params, ElementsAre("one/two%20"));
  EXPECT_EQ(path_, "/a/one/two%20/e");
  EXPECT_EQ(ask("GET", "/%61/x/%65").status, 200) << "literals are compared decoded";
}

TEST_F(RouterTest, RefusesMalformedEscapes) {
  route("GET", "/a/{x}");
  for (const auto* path : {"/a/%", "/a/%2", "/a/%zz", "/%/b"}) EXPECT_EQ(ask("GET", path).status, 404) << path;
}

TEST_F(RouterTest, ToleratesOneTrailingSlashOnly) {
  route("GET", "/a/b");
  EXPECT_EQ(ask("GET", "/a/b/").status, 200);
  EXPECT_EQ(ask("GET", "/a/b//").status, 404);
  EXPECT_EQ(ask("GET", "//a/b").status, 404);
  EXPECT_EQ(ask("GET", "/a//b").status, 404);
}

TEST_F(RouterTest, ToleratesADoubledSlashRightAfterTheUnderscore) {
  route("GET", "/_/crr/status");
  EXPECT_EQ(ask("GET", "/_//crr/status").status, 200);
  EXPECT_EQ(ask("GET", "/_///crr/status").status, 404);
  EXPECT_EQ(ask("GET", "/_/crr//status").status, 404);
  EXPECT_EQ(ask("GET", "/_/").status, 404);
}

TEST_F(RouterTest, AParamIsNeverEmpty) {
  route("GET", "/a/{x}/c");
  EXPECT_EQ(ask("GET", "/a//c").status, 404);
}

TEST_F(RouterTest, TheRestIsTakenAsItComesAndIsNotEmpty) {
  route("GET", "/o/*");
  EXPECT_EQ(ask("GET", "/o/bucket/a//b%2Fc/").status, 200);
  EXPECT_EQ(match_.rest, "bucket/a//b/c/");
  EXPECT_EQ(ask("GET", "/o/").status, 404);
  EXPECT_EQ(ask("GET", "/o").status, 404);
}

TEST_F(RouterTest, PathsThatDoNotBeginWithASlashAreUnknown) {
  route("GET", "/a");
  EXPECT_EQ(ask("GET", "a").status, 404);
  EXPECT_EQ(ask("GET", "").status, 404);
  EXPECT_EQ(ask("GET", "*").status, 404);
}

TEST_F(RouterTest, NamesTheAllowedMethodsWhenOnlyTheMethodIsWrong) {
  route("GET", "/a");
  route("POST", "/a");
  const auto answer = ask("PATCH", "/a");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(allow(answer), "GET, HEAD, OPTIONS, POST");
}

TEST_F(RouterTest, AnswersOptionsItself) {
  route("POST", "/a");
  const auto answer = ask("OPTIONS", "/a");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(allow(answer), "OPTIONS, POST");
  EXPECT_EQ(ask("OPTIONS", "*").status, 204);
  EXPECT_EQ(ask("OPTIONS", "/b").status, 404);
}

TEST_F(RouterTest, ServesHeadByTheHandlerOfGet) {
  route("GET", "/a");
  route("POST", "/b");
  EXPECT_EQ(ask("HEAD", "/a").body, "/a");
  EXPECT_EQ(ask("HEAD", "/b").status, 405);
}

TEST_F(RouterTest, ListsItsRoutes) {
  route("GET", "/a");
  route("POST", "/a/{x}");
  EXPECT_THAT(router_.routes(), ElementsAre(std::pair("GET", "/a"), std::pair("POST", "/a/{x}")));
}

TEST_F(RouterTest, ServesAServicesRoutesBelowAllPrefixes) {
  ASSERT_TRUE(add("GET", "objects/*").is_ok());
  for (const auto* prefix : {"/api/v1/services/crr", "/_/crr", "/_/backbeat/api/crr", "/_//crr"}) {
    EXPECT_EQ(ask("GET", std::string(prefix) + "/objects/bucket/a%20b/").body, "service") << prefix;
    EXPECT_EQ(service_path_, "objects/bucket/a b/");
    EXPECT_EQ(service_rest_, "bucket/a b/");
  }
  EXPECT_EQ(ask("GET", "/_/other/objects/a").status, 404);
  EXPECT_EQ(ask("POST", "/_/crr/objects/a").status, 405);
}

TEST_F(RouterTest, AServicesLiteralRouteForgetsTheTrailingSlash) {
  ASSERT_TRUE(add("GET", "greetings").is_ok());
  EXPECT_EQ(ask("GET", "/_/crr/greetings/").body, "service");
  EXPECT_EQ(service_path_, "greetings");
  EXPECT_EQ(service_rest_, "");
}

TEST_F(RouterTest, TheHostsRoutesWinOverAServices) {
  route("GET", "/_/{service}/{any}");
  ASSERT_TRUE(add("GET", "objects").is_ok());
  EXPECT_EQ(ask("GET", "/_/crr/objects").body, "/_/{service}/{any}");
}

TEST_F(RouterTest, RefusesTheHostsNamesAndTakenRoutes) {
  for (const auto* name : {"status", "pause", "resume/x", "locations/*"}) EXPECT_EQ(add("GET", name).code(), Code::kAlreadyExists) << name;
  ASSERT_TRUE(add("GET", "objects").is_ok());
  EXPECT_EQ(add("GET", "objects").code(), Code::kAlreadyExists);
  EXPECT_TRUE(add("POST", "objects").is_ok());
}

TEST_F(RouterTest, RefusesPatternsThatItCannotMatch) {
  for (const auto* pattern : {"", "/a", "a/", "a//b", "a/{x}", "*", "a/*/b", "a*"})
    EXPECT_EQ(add("GET", pattern).code(), Code::kInvalidArgument) << pattern;
  EXPECT_EQ(add("get", "a").code(), Code::kInvalidArgument);
}

TEST_F(RouterTest, ForgetsTheRoutesOfARemovedService) {
  ASSERT_TRUE(add("GET", "objects").is_ok());
  router_.remove_all("crr");
  router_.remove_all("never-there");
  EXPECT_EQ(ask("GET", "/_/crr/objects").status, 404);
  EXPECT_TRUE(add("GET", "objects").is_ok());
}

TEST_F(RouterTest, RemovingAServiceWaitsForItsRunningHandler) {
  std::atomic<bool> entered = false;
  std::atomic<bool> let_go = false;
  std::atomic<bool> left = false;
  ASSERT_TRUE(router_
                  .add("crr", "GET", "slow",
                       [&](auto, auto, auto, const Respond& respond) {
                         entered = true;
                         entered.notify_all();
                         let_go.wait(false);
                         left = true;
                         respond({});
                       })
                  .is_ok());
  std::thread caller([&] { ask("GET", "/_/crr/slow"); });
  entered.wait(false);
  std::thread releaser([&] {
    let_go = true;
    let_go.notify_all();
  });
  router_.remove_all("crr");
  EXPECT_TRUE(left);
  releaser.join();
  caller.join();
}

}  // namespace
}  // namespace fermata::rest
