#include "rest/http_server.hpp"

#include "raw_client.hpp"
#include "rest/http_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ifaddrs.h>
#include <net/if.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>

namespace fermata::rest {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using ::testing::StartsWith;
using namespace std::chrono_literals;

/// True as soon as `condition` is; false after 60 s.
template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// An IPv4 address of this machine that is not loopback, in host order.
std::optional<std::uint32_t> outside_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(all, ::freeifaddrs);
  for (const auto* entry = all; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET || (entry->ifa_flags & IFF_LOOPBACK) || !(entry->ifa_flags & IFF_UP))
      continue;
    return ntohl(reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr.s_addr);
  }
  return std::nullopt;
}

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    config_.port = 0;
    router_.route("GET", "/hello", [](auto, const auto&, const Respond& respond) { respond({.body = R"({"hello":true})"}); });
    router_.route("POST", "/echo", [](auto request, const auto&, const Respond& respond) {
      respond({.content_type = "text/plain", .body = request->method + " " + request->query + " " + request->body});
    });
    router_.route("GET", "/header", [](auto request, const auto&, const Respond& respond) {
      respond({.body = request->header("x-mine").value_or("none") + "|" + request->header(":peer").value_or("")});
    });
    router_.route("GET", "/late", [this](auto, const auto&, Respond respond) { late_.set_value(std::move(respond)); });
    router_.route("GET", "/never", [this](auto, const auto&, Respond respond) { kept_ = std::move(respond); });
    router_.route("GET", "/dropped", [](auto, const auto&, const Respond&) {});
    router_.route("GET", "/throws", [](auto, const auto&, const Respond&) -> void { throw std::runtime_error("on purpose"); });
    router_.route("GET", "/big", [](auto, const auto&, const Respond& respond) { respond({.body = std::string(4u << 20, 'x')}); });
    router_.route("GET", "/odd", [](auto, const auto&, const Respond& respond) {
      respond(
          {.status = 7, .content_type = "text/plain\r\nX-Injected: yes", .headers = {{"X-Good", "1"}, {"X-Bad", "1\r\nX-Injected: yes"}}});
    });
  }

  void start() {
    server_ = std::make_unique<HttpServer>(config_, router_, log_, metrics_);
    const Status status = server_->listen();
    ASSERT_TRUE(status.is_ok()) << status.text();
    server_->start();
  }
  std::uint16_t port() const { return server_->port(); }

  static constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

  config::RestConfig config_;
  telemetry::Log log_{{.file = "/dev/null"}};
  telemetry::Metrics metrics_;
  Router router_;
  std::promise<Respond> late_;
  Respond kept_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, KeepsAConnectionAlive) {
  start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask(kHello);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"hello":true})");
    EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    EXPECT_EQ(answer.header("Date").size(), std::string_view("Sun, 22 Nov 2026 08:35:12 GMT").size());
    EXPECT_EQ(answer.header("Connection"), "");
  }
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  start();
  RawClient client(port());
  const auto answer = client.ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(HttpServerTest, SpeaksToHttp10Clients) {
  start();
  RawClient one(port());
  EXPECT_EQ(one.ask("GET /hello HTTP/1.0\r\n\r\n").header("Connection"), "close");
  EXPECT_TRUE(one.closed_by_server());
  RawClient kept(port());
  EXPECT_EQ(kept.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").header("Connection"), "keep-alive");
  EXPECT_EQ(kept.ask("GET /hello HTTP/1.0\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient client(port());
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += "POST /echo?" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.read().body, "POST " + std::to_string(i) + " abc");
}

TEST_F(HttpServerTest, APipelinedRequestWaitsForALateAnswer) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n" + std::string(kHello)));
  late_.get_future().get()({.body = "late"});
  EXPECT_EQ(client.read().body, "late");
  EXPECT_EQ(client.read().body, R"({"hello":true})");
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto answer = client.read(false);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "14");
  EXPECT_EQ(client.ask(kHello).status, 200) << "nothing was sent after the head";
}

TEST_F(HttpServerTest, AnswersOptionsWithTheAllowedMethods) {
  start();
  RawClient client(port());
  const auto answer = client.ask("OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.header("Allow"), "OPTIONS, POST");
  EXPECT_EQ(answer.header("Content-Length"), "");
  EXPECT_EQ(client.ask(kHello).status, 200);
}

TEST_F(HttpServerTest, ReadsChunkedBodiesAndIgnoresTrailers) {
  start();
  RawClient client(port());
  const auto answer = client.ask(
      "POST /echo?q HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nHost: trailer\r\n\r\n");
  EXPECT_EQ(answer.body, "POST q abcde");
  EXPECT_EQ(client.ask(kHello).status, 200);
}

TEST_F(HttpServerTest, ReadsARequestThatArrivesByteByByte) {
  start();
  RawClient client(port());
  const std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  for (const char byte : request) ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.read().body, "POST  abc");
}

TEST_F(HttpServerTest, InvitesABodyThatWaitsToBeExpected) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read().status, 100);
  EXPECT_EQ(client.ask("abc").body, "POST  abc");
  EXPECT_EQ(client.ask("GET /hello HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n").status, 417);
}

TEST_F(HttpServerTest, FindsHeadersInAnyCaseAndNamesThePeer) {
  start();
  RawClient client(port());
  EXPECT_EQ(client.ask("GET /header HTTP/1.1\r\nHost: x\r\nX-MINE:  some thing \r\n\r\n").body, "some thing|127.0.0.1");
  EXPECT_EQ(client.ask("GET /header HTTP/1.1\r\nHost: x\r\n\r\n").body, "none|127.0.0.1");
}

TEST_F(HttpServerTest, RefusesMalformedRequestsAndCloses) {
  start();
  for (const auto* request : {"nonsense\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                              "GET /hello HTTP/3.0\r\nHost: x\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
                              "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                              "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                              "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                              "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawClient client(port());
    const auto answer = client.ask(request);
    EXPECT_EQ(answer.status, 400) << request;
    EXPECT_EQ(answer.header("Connection"), "close") << request;
    EXPECT_THAT(answer.body, HasSubstr("\"code\":400")) << request;
    EXPECT_TRUE(client.closed_by_server()) << request;
  }
}

TEST_F(HttpServerTest, RefusesTransferEncodingsOtherThanChunkedAndCloses) {
  start();
  for (const auto* encoding : {"gzip", "gzip, chunked", "identity", ""}) {
    RawClient client(port());
    const auto answer = client.ask(std::string("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ") + encoding + "\r\n\r\n0\r\n\r\n");
    EXPECT_EQ(answer.status, 501) << encoding;
    EXPECT_EQ(answer.header("Connection"), "close") << encoding;
    EXPECT_TRUE(client.closed_by_server()) << encoding;
  }
  RawClient old(port());
  EXPECT_EQ(old.ask("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status, 501);
  EXPECT_EQ(RawClient(port()).ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, RefusesChangesThatAPageOfAnotherSiteAsksFor) {
  start();
  const auto status = [&](const std::string& method, const std::string& origin, const std::string& host) {
    return RawClient(port())
        .ask(method + " /echo HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + origin + "\r\nContent-Length: 0\r\n\r\n")
        .status;
  };
  for (const auto* origin :
       {"http://evil.example", "http://localhost:8901", "http://localhost", "http://localhost:8900.evil.example", "null"})
    EXPECT_EQ(status("POST", origin, "localhost:8900"), 403) << origin;
  for (const auto* method : {"PUT", "DELETE", "PATCH"}) EXPECT_EQ(status(method, "http://evil.example", "localhost:8900"), 403) << method;
  EXPECT_EQ(status("POST", "http://LOCALHOST:8900", "localhost:8900"), 200);
  EXPECT_EQ(status("POST", "http://fermata.example", "fermata.example:80"), 200);
  EXPECT_EQ(status("POST", "https://fermata.example", "fermata.example"), 200) << "behind a proxy that speaks TLS";
  EXPECT_EQ(RawClient(port()).ask("GET /hello HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, RefusesAnEndlessHeader) {
  config_.max_header_bytes = 1'024;
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /hello HTTP/1.1\r\nHost: x\r\n"));
  for (int i = 0; i < 100; ++i)
    if (!client.send("X-Some-Header: with a value\r\n")) break;
  EXPECT_EQ(client.read().status, 431);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(HttpServerTest, CountsHeadersThatArriveOneByOne) {
  config_.max_header_bytes = 1'024;
  start();
  RawClient client(port());
  const std::string many(40, 'x');
  std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 30; ++i) request += "X-" + std::to_string(i) + ": " + many + "\r\n";
  EXPECT_EQ(client.ask(request + "\r\n").status, 431);
}

TEST_F(HttpServerTest, RefusesABodyThatIsTooLarge) {
  config_.max_body_bytes = 1'000;
  start();
  RawClient announced(port());
  EXPECT_EQ(announced.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n").status, 413);
  EXPECT_TRUE(announced.closed_by_server());
  RawClient chunked(port());
  EXPECT_EQ(
      chunked.ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n")
          .status,
      413);
  RawClient fits(port());
  EXPECT_EQ(fits.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x')).status, 200);
}

TEST_F(HttpServerTest, EndsASlowLoris) {
  config_.read_timeout = 3s;
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /hello HTTP/1.1\r\nHost: x\r\n"));
  const auto answer = client.read();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(HttpServerTest, ASlowLorisThatDripsIsEndedAsWell) {
  config_.read_timeout = 3s;
  config_.max_header_bytes = 64u << 20;  // so that it is the time that runs out
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /hello HTTP/1.1\r\nHost: x\r\nX: "));
  std::atomic<bool> done = false;
  std::thread dripping([&] {
    while (!done && client.send("y")) std::this_thread::yield();
  });
  EXPECT_EQ(client.read().status, 408);
  done = true;
  dripping.join();
}

TEST_F(HttpServerTest, ClosesIdleConnectionsWithoutAWord) {
  config_.read_timeout = 3s;
  config_.idle_timeout = 3s;
  start();
  RawClient silent(port());
  EXPECT_TRUE(silent.closed_by_server());
  RawClient client(port());
  EXPECT_EQ(client.ask(kHello).status, 200);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(HttpServerTest, RefusesConnectionsBeyondTheLimit) {
  config_.max_connections = 2;
  start();
  RawClient first(port());
  RawClient second(port());
  EXPECT_EQ(first.ask(kHello).status, 200);
  EXPECT_EQ(second.ask(kHello).status, 200);
  {
    RawClient third(port());
    const auto answer = third.ask(kHello);
    EXPECT_EQ(answer.status, 503);
    EXPECT_TRUE(third.closed_by_server());
  }
  EXPECT_EQ(first.ask(kHello).status, 200);
  first.close();
  EXPECT_TRUE(eventually([&] { return RawClient(port()).ask(kHello).status == 200; }));
}

TEST_F(HttpServerTest, ManyRefusedConnectionsDoNotPileUp) {
  config_.max_connections = 1;
  start();
  RawClient first(port());
  EXPECT_EQ(first.ask(kHello).status, 200);
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 64; ++i) silent.push_back(std::make_unique<RawClient>(port()));
  EXPECT_TRUE(RawClient(port()).closed_by_server());
  EXPECT_EQ(first.ask(kHello).status, 200);
}

TEST_F(HttpServerTest, RefusesPeersThatAreNotAllowed) {
  const auto outside = outside_address();
  if (!outside) GTEST_SKIP() << "this machine has no IPv4 address besides loopback, which is always let in";
  config_.address = "0.0.0.0";
  config_.allow_from = {"203.0.113.0/24"};
  start();
  EXPECT_EQ(RawClient(port()).ask(kHello).status, 200);
  RawClient client(port(), *outside);
  const auto answer = client.ask(kHello);
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.body, HasSubstr("\"AccessDenied\":true"));
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(HttpServerTest, AnswersLateFromAnotherThread) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
  std::thread([respond = late_.get_future().get()] {
    respond({.body = "first"});
    respond({.body = "second"});
  }).join();
  EXPECT_EQ(client.read().body, "first");
  EXPECT_EQ(client.ask(kHello).body, R"({"hello":true})") << "the second answer went nowhere";
}

TEST_F(HttpServerTest, AnswersForHandlersThatNeverDo) {
  config_.request_timeout = 500ms;
  start();
  RawClient client(port());
  EXPECT_EQ(client.ask("GET /never HTTP/1.1\r\nHost: x\r\n\r\n").status, 503);
  EXPECT_EQ(client.ask(kHello).status, 200);
  kept_({.body = "too late"});
  EXPECT_EQ(client.ask(kHello).body, R"({"hello":true})");
}

TEST_F(HttpServerTest, AnswersForHandlersThatDropTheRequestOrThrow) {
  start();
  RawClient client(port());
  EXPECT_EQ(client.ask("GET /dropped HTTP/1.1\r\nHost: x\r\n\r\n").status, 500);
  EXPECT_EQ(client.ask("GET /throws HTTP/1.1\r\nHost: x\r\n\r\n").status, 500);
  EXPECT_EQ(client.ask(kHello).status, 200);
}

TEST_F(HttpServerTest, AHandlersMistakesDoNotBecomeHeaders) {
  start();
  RawClient client(port());
  const auto answer = client.ask("GET /odd HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.header("X-Good"), "1");
  EXPECT_EQ(answer.header("X-Injected"), "");
}

TEST_F(HttpServerTest, SurvivesClientsThatAreGone) {
  start();
  {
    RawClient client(port());
    ASSERT_TRUE(client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
    RawClient other(port());
    EXPECT_EQ(other.ask(kHello).status, 200);
  }
  late_.get_future().get()({.body = std::string(1u << 20, 'x')});
  {
    RawClient half(port());
    ASSERT_TRUE(half.send("GET /hel"));
  }
  {
    RawClient reader(port());
    ASSERT_TRUE(reader.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  RawClient client(port());
  EXPECT_EQ(client.ask(kHello).status, 200);
}

TEST_F(HttpServerTest, AnswersAClientThatHasSaidAllItWillSay) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send(kHello));
  client.shutdown_send();
  EXPECT_EQ(client.read().status, 200);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(HttpServerTest, WritesBigAnswersWhole) {
  start();
  RawClient client(port());
  EXPECT_EQ(client.ask("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").body.size(), 4u << 20);
  EXPECT_EQ(client.ask(kHello).status, 200);
}

TEST_F(HttpServerTest, EndsAReaderThatDoesNotRead) {
  config_.request_timeout = 80ms;
  config_.max_connections = 1;
  start();
  RawClient stuck(port());
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_TRUE(stuck.send(requests));
  EXPECT_TRUE(eventually([&] { return RawClient(port()).ask(kHello).status == 200; }));
}

TEST_F(HttpServerTest, ARequestThatWaitsHasAsMuchMoreTime) {
  config_.request_timeout = 500ms;
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /late?a=b&wait=30s HTTP/1.1\r\nHost: x\r\n\r\n"));
  auto respond = late_.get_future().get();
  EXPECT_EQ(RawClient(port()).ask("GET /never?wait=10ms HTTP/1.1\r\nHost: x\r\n\r\n").status, 503);
  respond({.body = "in time"});
  EXPECT_EQ(client.read().body, "in time");
}

TEST_F(HttpServerTest, StopDoesNotWaitForAConnectionThatIsBeingAnswered) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(RawClient(port()).ask(kHello).status, 200) << "by now the big answer is on its way, and does not fit into the socket";
  std::thread stopping([&] { server_->stop(60s); });
  while (RawClient(port()).connected()) std::this_thread::yield();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(client.read().body.size(), 4u << 20);
  EXPECT_TRUE(client.closed_by_server());
  client.close();
  stopping.join();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST_F(HttpServerTest, StopLetsTheRequestInHandFinish) {
  start();
  RawClient idle(port());
  EXPECT_EQ(idle.ask(kHello).status, 200);
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
  auto respond = late_.get_future().get();
  std::thread stopping([&] { server_->stop(10s); });
  EXPECT_TRUE(idle.closed_by_server());
  respond({.body = "late"});
  const auto answer = client.read();
  EXPECT_EQ(answer.body, "late");
  EXPECT_EQ(answer.header("Connection"), "close");
  client.close();
  stopping.join();
  EXPECT_FALSE(RawClient(port()).connected());
}

TEST_F(HttpServerTest, StopDoesNotWaitForHandlersBeyondItsTime) {
  start();
  RawClient client(port());
  ASSERT_TRUE(client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
  auto respond = late_.get_future().get();
  server_->stop(0ms);
  EXPECT_TRUE(client.closed_by_server());
  server_.reset();
  respond({.body = "in vain"});
}

TEST_F(HttpServerTest, StopsOnceWhenToldByManyWhileServing) {
  start();
  std::atomic<bool> done = false;
  std::thread traffic([&] {
    while (!done) {
      RawClient client(port());
      while (!done && client.ask(kHello).status == 200) continue;
    }
  });
  std::thread other([&] { server_->stop(1s); });
  server_->stop(1s);
  other.join();
  done = true;
  traffic.join();
  EXPECT_FALSE(RawClient(port()).connected());
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
  start();
  config_.port = port();
  HttpServer second(config_, router_, log_, metrics_);
  const Status status = second.listen();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1:" + std::to_string(port())));
  config_.allow_from = {"nonsense"};
  HttpServer third(config_, router_, log_, metrics_);
  EXPECT_EQ(third.listen().code(), Code::kInvalidArgument);
}

TEST_F(HttpServerTest, WhoConnectsBeforeItServesWaits) {
  server_ = std::make_unique<HttpServer>(config_, router_, log_, metrics_);
  ASSERT_TRUE(server_->listen().is_ok());
  RawClient client(port());
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.send(kHello));
  server_->start();
  EXPECT_EQ(client.read().status, 200);
}

TEST_F(HttpServerTest, CountsWhatItAnswers) {
  start();
  RawClient client(port());
  EXPECT_EQ(client.ask(kHello).status, 200);
  EXPECT_EQ(client.ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
  EXPECT_EQ(client.ask(kHello).status, 200);  // an answer is counted before the next request is read
  const std::string text = metrics_.text();
  EXPECT_THAT(text, HasSubstr("fermata_rest_connections 1"));
  EXPECT_THAT(text, ::testing::ContainsRegex("fermata_rest_requests_total\\{[^}]*4xx[^}]*\\} 1"));
}

TEST_F(HttpServerTest, ServesOurOwnClient) {
  start();
  const std::string url = "http://127.0.0.1:" + std::to_string(port());
  const auto echo = http_request({.url = url, .method = "POST", .target = "/echo?a=1", .headers = {{"X-A", "b"}}, .body = "abc"});
  ASSERT_TRUE(echo.is_ok()) << echo.status().text();
  EXPECT_EQ(echo->status, 200);
  EXPECT_EQ(echo->content_type, "text/plain");
  EXPECT_EQ(echo->body, "POST a=1 abc");
  EXPECT_EQ(http_request({.url = url + "/hello", .target = ""})->status, 200);
  EXPECT_EQ(http_request({.url = url, .method = "HEAD", .target = "/hello"})->status, 200);
  EXPECT_EQ(http_request({.url = url, .target = "/big"})->body.size(), 4u << 20);
}

TEST_F(HttpServerTest, OurClientSaysWhoDidNotAnswer) {
  start();
  const std::string url = "http://127.0.0.1:" + std::to_string(port());
  const auto slow = http_request({.url = url, .target = "/never", .timeout = 50ms});
  EXPECT_EQ(slow.status().code(), Code::kUnavailable);
  EXPECT_THAT(slow.status().message(), HasSubstr(url));
  server_->stop(0ms);
  const auto gone = http_request({.url = url, .target = "/hello"});
  EXPECT_EQ(gone.status().code(), Code::kUnavailable);
  EXPECT_THAT(gone.status().message(), HasSubstr(url));
  for (const auto* wrong : {"https://x", "127.0.0.1", "http://", "http://:80"})
    EXPECT_EQ(http_request({.url = wrong}).status().code(), Code::kInvalidArgument) << wrong;
}

}  // namespace
}  // namespace fermata::rest
