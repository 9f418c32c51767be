#include "http/client.hpp"

#include "scripted_server.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

namespace fermata::http {
namespace {

using namespace std::chrono_literals;
using test::Peer;
using test::ScriptedServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Client client_of(const ScriptedServer& server, ClientOptions options = {}) {
  return {Endpoint::parse(server.url()).value(), std::move(options)};
}

/// The body of a GET, or the failure.
Result<std::string> get(Client& client, std::string target = "/") {
  Result<Response> response = client.send({.target = std::move(target)});
  if (!response) return response.status();
  return response->read_all(1 << 20);
}

/// Answers every request with "ok".
void serve_ok(Peer& peer, int) {
  while (!peer.read_request().empty()) peer.write(kOk);
}

/// Bytes that are made up as they are read; cannot go back.
class EndlessBody final : public BodySource {
 public:
  Result<std::size_t> read(std::span<char> buffer) override {
    std::ranges::fill(buffer, 'x');
    return buffer.size();
  }
};

class FailingBody final : public BodySource {
 public:
  Result<std::size_t> read(std::span<char> buffer) override {
    if (std::exchange(begun_, true)) return Status{Code::kDataLoss, "the disk is gone"};
    buffer[0] = 'x';
    return std::size_t{1};
  }

 private:
  bool begun_ = false;
};

/// One that lets a test do something while the request is being sent.
class HookedBody final : public BodySource {
 public:
  HookedBody(std::string_view data, std::function<void()> hook) : data_(data), hook_(std::move(hook)) {}
  Result<std::size_t> read(std::span<char> buffer) override {
    if (hook_) std::exchange(hook_, nullptr)();
    return data_.read(buffer);
  }

 private:
  MemoryBody data_;
  std::function<void()> hook_;
};

TEST(HttpClient, SendsMethodTargetHeadersAndBody) {
  std::string seen;
  ScriptedServer server([&](Peer& peer, int) {
    seen = peer.read_request();
    peer.write(kOk);
  });
  const Endpoint endpoint = Endpoint::parse(server.url() + "/base").value();
  {
    Client client(endpoint, {});
    MemoryBody body("hello");
    Result<Response> response =
        client.send({.method = "PUT", .target = "/a%20b?c=d", .headers = {{"X-Test", "caf\xc3\xa9"}}, .content_length = 5, .body = &body});
    ASSERT_TRUE(response) << response.status().text();
    EXPECT_EQ(response->status(), 200);
    EXPECT_EQ(response->content_length(), 2u);
    EXPECT_EQ(response->header("content-length"), "2");
    EXPECT_EQ(response->header("absent"), std::nullopt);
    EXPECT_EQ(response->read_all(10).value(), "ok");
  }
  EXPECT_EQ(seen,
            "PUT /base/a%20b?c=d HTTP/1.1\r\nHost: " + endpoint.authority() + "\r\nX-Test: caf\xc3\xa9\r\nContent-Length: 5\r\n\r\nhello");
}

TEST(HttpClient, UsesAKeptConnectionAgain) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(client.connections(), 1u);
}

TEST(HttpClient, GivesTheConnectionBackWhenTheLastAnnouncedByteWasRead) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server);
  Result<Response> first = client.send({});
  std::array<char, 2> buffer{};
  EXPECT_EQ(first->read(buffer).value(), 2u);
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(first->read(buffer).value(), 0u);
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, DoesNotKeepAConnectionThatTheServerWantsClosed) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  });
  Client client = client_of(server);
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(client.connections(), 0u);
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, DoesNotUseAConnectionAgainThatWasKeptTooLong) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server, {.keep_alive = 0ms});
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 2);
  EXPECT_LE(client.connections(), 1u);
}

TEST(HttpClient, LeavesAKeptConnectionThatTheServerHasClosed) {
  std::binary_semaphore closed(0);
  ScriptedServer server([&](Peer& peer, int number) {
    peer.read_request();
    peer.write(kOk);
    if (number > 1) serve_ok(peer, number);
  });
  Client client = client_of(server);
  EXPECT_EQ(get(client).value(), "ok");
  MemoryBody body("x");
  EXPECT_TRUE(client.send({.method = "POST", .content_length = 1, .body = &body, .idempotent = true}));
  EXPECT_EQ(server.connections(), 2);
}

/// A server whose first connection dies when it gets its second request.
void die_on_the_second_request(Peer& peer, int number) {
  peer.read_request();
  peer.write(kOk);
  peer.read_request();
  if (number == 1) return;
  peer.write(kOk);
  serve_ok(peer, number);
}

TEST(HttpClient, SendsAnIdempotentRequestOnceMoreWhenItDiesWithAKeptConnection) {
  ScriptedServer server([](Peer& peer, int number) {
    if (number > 1) return serve_ok(peer, number);
    die_on_the_second_request(peer, number);
  });
  Client client = client_of(server);
  EXPECT_EQ(get(client).value(), "ok");
  MemoryBody body("body");
  Result<Response> response = client.send({.method = "PUT", .content_length = 4, .body = &body});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_EQ(response->read_all(10).value(), "ok");
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, DoesNotSendTwiceWhatIsNotIdempotentOrCannotGoBack) {
  for (const bool idempotent : {false, true}) {
    ScriptedServer server(die_on_the_second_request);
    Client client = client_of(server);
    EXPECT_EQ(get(client).value(), "ok");
    MemoryBody memory("x");
    HookedBody hooked("x", nullptr);
    BodySource& body = idempotent ? static_cast<BodySource&>(hooked) : memory;
    const Result<Response> response = client.send({.method = "POST", .content_length = 1, .body = &body, .idempotent = idempotent});
    EXPECT_EQ(response.status().code(), Code::kUnavailable);
    EXPECT_EQ(server.connections(), 1);
  }
}

TEST(HttpClient, DoesNotSendAgainWhatDiedOnAFreshConnection) {
  ScriptedServer server([](Peer& peer, int) { peer.read_request(); });
  Client client = client_of(server);
  EXPECT_THAT(get(client, "/path?query").status().message(), HasSubstr(server.url() + ": GET /path: "));
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, UndoesChunks) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n7\r\n, ");
    peer.write("world\r\n0\r\nTrailer: x\r\n\r\n");
    serve_ok(peer, 1);
  });
  Client client = client_of(server);
  EXPECT_EQ(get(client).value(), "hello, world");
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, UndoesChunksIntoABufferOfOneByte) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    peer.wait_for_close();
  });
  Client client = client_of(server);
  Result<Response> response = client.send({});
  std::string text;
  std::array<char, 1> one{};
  while (response->read(one).value() == 1) text += one[0];
  EXPECT_EQ(text, "abcde");
}

TEST(HttpClient, ReadsALongChunkedBodyWhole) {
  std::string long_body;
  for (int i = 0; long_body.size() < 3'000'000; ++i) long_body += std::to_string(i) + ",";
  ScriptedServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < long_body.size(); at += 100'000) {
      const std::string chunk = long_body.substr(at, 100'000);
      std::array<char, 16> size{};
      std::snprintf(size.data(), size.size(), "%zx\r\n", chunk.size());
      peer.write(size.data() + chunk + "\r\n");
    }
    peer.write("0\r\n\r\n");
  });
  Client client = client_of(server);
  Result<Response> response = client.send({});
  EXPECT_EQ(response->read_all(4'000'000).value(), long_body);
}

TEST(HttpClient, ReadsABodyThatEndsWithTheConnection) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  Client client = client_of(server);
  EXPECT_EQ(get(client).value(), "all of it");
  EXPECT_EQ(client.connections(), 0u);
}

TEST(HttpClient, ReportsABodyThatWasCutOff) {
  for (const std::string framing : {"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
    ScriptedServer server([&](Peer& peer, int) {
      peer.read_request();
      peer.write("HTTP/1.1 200 OK\r\n" + framing);
    });
    Client client = client_of(server);
    const Result<std::string> body = get(client);
    EXPECT_EQ(body.status().code(), Code::kUnavailable);
    EXPECT_THAT(body.status().message(), HasSubstr("cut off"));
    EXPECT_EQ(client.connections(), 0u);
  }
}

TEST(HttpClient, KnowsTheAnswersThatHaveNoBody) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n");
    peer.read_request();
    peer.write("HTTP/1.1 204 No Content\r\n\r\n");
    peer.read_request();
    peer.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
    peer.read_request();
    peer.write("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n");
    serve_ok(peer, 1);
  });
  Client client = client_of(server);
  Result<Response> head = client.send({.method = "HEAD"});
  EXPECT_EQ(head->content_length(), 5'000'000'000u);
  EXPECT_EQ(head->read_all(1).value(), "");
  EXPECT_EQ(get(client).value(), "");
  EXPECT_EQ(get(client).value(), "");
  EXPECT_EQ(client.send({.method = "HEAD"})->status(), 404);
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, RefusesAnAnswerThatIsLongerThanTheCallerWants) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server);
  Result<Response> response = client.send({});
  EXPECT_EQ(response->read_all(1).status().code(), Code::kResourceExhausted);
}

TEST(HttpClient, ClosesTheConnectionOfAnAnswerThatWasLeftHalfRead) {
  std::binary_semaphore left(0);
  ScriptedServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun");
    peer.wait_for_close();
    left.release();
  });
  Client client = client_of(server);
  { Result<Response> response = client.send({}); }
  EXPECT_TRUE(left.try_acquire_for(10s));
  EXPECT_EQ(client.connections(), 0u);
}

TEST(HttpClient, KeepsTheConnectionOfAnAnswerWhoseSmallRestIsThere) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server);
  { Result<Response> response = client.send({}); }
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ResponsesOutliveTheClient) {
  ScriptedServer server(serve_ok);
  std::optional<Response> response;
  {
    Client client = client_of(server);
    response.emplace(client.send({}).value());
  }
  EXPECT_EQ(response->read_all(10).value(), "ok");
}

TEST(HttpClient, AcceptsAHeadOfNearly64KiBAndNoLargerOne) {
  for (const std::size_t size : {60'000u, 66'000u, 1'000'000u}) {
    ScriptedServer server([size](Peer& peer, int) {
      peer.read_request();
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: " + std::string(size, 'x') + "\r\n\r\n");
      peer.wait_for_close();
    });
    Client client = client_of(server);
    const Result<Response> response = client.send({});
    EXPECT_EQ(response.is_ok(), size < 64 * 1024) << size;
    EXPECT_THAT(response.status().message(), HasSubstr(size < 64 * 1024 ? "" : "64 KiB"));
  }
}

TEST(HttpClient, ReportsWhatIsNotHttp) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  });
  Client client = client_of(server);
  EXPECT_THAT(get(client).status().message(), HasSubstr("malformed"));
}

TEST(HttpClient, ReportsAServerThatIsNotThere) {
  std::string url;
  { url = ScriptedServer(serve_ok).url(); }
  Client client(Endpoint::parse(url).value(), {});
  const Result<Response> response = client.send({});
  EXPECT_EQ(response.status().code(), Code::kUnavailable);
  EXPECT_THAT(response.status().message(), StartsWith(url));
  EXPECT_EQ(client.connections(), 0u);
}

TEST(HttpClient, ReportsANameThatDoesNotExist) {
  Client client(Endpoint::parse("http://no-such-host.invalid").value(), {});
  const Result<Response> response = client.send({});
  EXPECT_EQ(response.status().code(), Code::kUnavailable);
  EXPECT_THAT(response.status().message(), HasSubstr("no-such-host.invalid"));
}

TEST(HttpClient, LooksUpNames) {
  ScriptedServer server(serve_ok);
  Client client(Endpoint::parse("http://localhost:" + std::to_string(server.port())).value(), {});
  EXPECT_EQ(get(client).value(), "ok");
}

TEST(HttpClient, WaitsForTheHeadOnlySoLong) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.wait_for_close();
  });
  Client client = client_of(server, {.first_byte_timeout = 20ms});
  EXPECT_THAT(get(client).status().text(), HasSubstr("timed out"));
  while (server.connections() == 0) std::this_thread::yield();  // it may come to accept only now
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, DoesNotSendAgainWhatTimedOutOnAKeptConnection) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write(kOk);
    peer.wait_for_close();
  });
  Client client = client_of(server);
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_THAT(client.send({.first_byte_timeout = 20ms}).status().text(), HasSubstr("timed out"));
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, WaitsForTheNextByteOfABodyOnlySoLong) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    peer.wait_for_close();
  });
  Client client = client_of(server, {.idle_timeout = 20ms});
  EXPECT_THAT(get(client).status().text(), HasSubstr("timed out"));
}

TEST(HttpClient, WaitsForAServerThatTakesNoBytesOnlySoLong) {
  std::binary_semaphore over(0);
  ScriptedServer server([&](Peer& peer, int) {
    peer.read_head();
    peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_TRUE(over.try_acquire_for(10s));
  });
  Client client = client_of(server, {.idle_timeout = 20ms});
  EndlessBody body;
  const Result<Response> response = client.send({.method = "PUT", .content_length = 1'000'000'000, .body = &body});
  over.release();
  EXPECT_THAT(response.status().text(), HasSubstr("timed out"));
}

TEST(HttpClient, SendsALargeBodyAfterTheServerAskedForIt) {
  const std::string large(5'000'000, 'x');
  std::string head;
  std::string received;
  ScriptedServer server([&](Peer& peer, int) {
    head = peer.read_head();
    peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    received = peer.read_exactly(large.size());
    peer.write(kOk);
    serve_ok(peer, 1);
  });
  Client client = client_of(server);
  MemoryBody body(large);
  Result<Response> response = client.send({.method = "PUT", .content_length = large.size(), .body = &body, .idempotent = false});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_EQ(response->read_all(10).value(), "ok");
  EXPECT_THAT(head, HasSubstr("Expect: 100-continue"));
  EXPECT_TRUE(received == large);
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ReturnsARefusalBeforeItSendsALargeBody) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_head();
    peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    peer.wait_for_close();
  });
  Client client = client_of(server, {.continue_wait = 60s});
  HookedBody body("", [] { ADD_FAILURE() << "the body was read"; });
  Result<Response> response = client.send({.method = "PUT", .content_length = 5'000'000, .body = &body});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_EQ(response->status(), 403);
  EXPECT_EQ(response->read_all(10).value(), "no");
  EXPECT_EQ(client.connections(), 0u);
}

TEST(HttpClient, ReturnsARefusalThatComesInTheMiddleOfABody) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_head();
    peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    peer.read_exactly(100'000);
    peer.write("HTTP/1.1 503 Slow Down\r\nContent-Length: 2\r\n\r\nno");
    peer.wait_for_close();
  });
  Client client = client_of(server);
  EndlessBody body;
  Result<Response> response = client.send({.method = "PUT", .content_length = 10'000'000'000, .body = &body});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_EQ(response->status(), 503);
  EXPECT_EQ(response->read_all(10).value(), "no");
  EXPECT_EQ(client.connections(), 0u);
}

/// 300,000 bytes, the last of which wait until somebody lets them go.
class GatedBody final : public BodySource {
 public:
  explicit GatedBody(std::binary_semaphore& gate) : gate_(gate) {}
  Result<std::size_t> read(std::span<char> buffer) override {
    const std::size_t size = std::min(buffer.size(), left_);
    if (left_ == 100'000) {
      EXPECT_TRUE(gate_.try_acquire_for(10s));
    }
    const std::size_t given = left_ > 100'000 ? std::min(size, left_ - 100'000) : size;
    std::ranges::fill(buffer.first(given), 'x');
    left_ -= given;
    return given;
  }

 private:
  std::binary_semaphore& gate_;
  std::size_t left_ = 300'000;
};

TEST(HttpClient, GoesOnSendingWhenALateContinueComesInTheMiddleOfABody) {
  std::binary_semaphore said(0);
  ScriptedServer server([&](Peer& peer, int) {
    peer.read_head();
    peer.read_exactly(100'000);
    peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    said.release();
    peer.read_exactly(200'000);
    peer.write(kOk);
    serve_ok(peer, 1);
  });
  Client client = client_of(server, {.first_byte_timeout = 30s});
  GatedBody body(said);
  Result<Response> response = client.send({.method = "PUT", .content_length = 300'000, .body = &body});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_EQ(response->read_all(10).value(), "ok");
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, DoesNotWaitAgainForAServerThatPassesOverExpect) {
  const std::string large(2'000'000, 'x');
  std::vector<std::string> heads;
  ScriptedServer server([&](Peer& peer, int) {
    for (int i = 0; i < 2; ++i) {
      heads.push_back(peer.read_head());
      peer.read_exactly(large.size());
      peer.write(kOk);
    }
  });
  Client client = client_of(server);
  for (int i = 0; i < 2; ++i) {
    MemoryBody body(large);
    Result<Response> response = client.send({.method = "PUT", .content_length = large.size(), .body = &body});
    ASSERT_TRUE(response) << response.status().text();
    EXPECT_EQ(response->read_all(10).value(), "ok");
  }
  EXPECT_THAT(heads.at(0), HasSubstr("Expect"));
  EXPECT_THAT(heads.at(1), Not(HasSubstr("Expect")));
}

TEST(HttpClient, ReturnsTheErrorOfABodyAsItIs) {
  ScriptedServer server([](Peer& peer, int) { peer.wait_for_close(); });
  Client client = client_of(server);
  FailingBody body;
  const Result<Response> response = client.send({.method = "PUT", .content_length = 10, .body = &body});
  EXPECT_EQ(response.status().text(), "DATA_LOSS: the disk is gone");
  EXPECT_EQ(client.connections(), 0u);
}

TEST(HttpClient, InsistsOnTheLengthThatWasAnnounced) {
  ScriptedServer server([](Peer& peer, int) { peer.wait_for_close(); });
  Client client = client_of(server);
  for (const std::uint64_t length : {4u, 6u}) {
    MemoryBody body("12345");
    const Result<Response> response = client.send({.method = "PUT", .content_length = length, .body = &body});
    EXPECT_EQ(response.status().code(), Code::kInvalidArgument) << length;
  }
}

TEST(HttpClient, RefusesWhatCouldBecomeAnotherRequest) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server);
  const auto code = [&](Request request) { return client.send(request).status().code(); };
  EXPECT_EQ(code({.method = "GET /x"}), Code::kInvalidArgument);
  EXPECT_EQ(code({.target = "/a b"}), Code::kInvalidArgument);
  EXPECT_EQ(code({.target = "/a\r\nX: y"}), Code::kInvalidArgument);
  EXPECT_EQ(code({.target = "a"}), Code::kInvalidArgument);
  EXPECT_EQ(code({.headers = {{"X", "a\r\nY: b"}}}), Code::kInvalidArgument);
  EXPECT_EQ(code({.headers = {{"X: a", "b"}}}), Code::kInvalidArgument);
  EXPECT_EQ(code({.headers = {{"content-length", "1"}}}), Code::kInvalidArgument);
  EXPECT_EQ(code({.content_length = 1}), Code::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, WaitsForAPlaceAmongItsConnections) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server, {.max_connections = 1, .connect_timeout = 500ms});
  std::optional<Response> first(client.send({}).value());
  const Result<std::string> refused = get(client);
  EXPECT_EQ(refused.status().code(), Code::kUnavailable);
  EXPECT_THAT(refused.status().message(), HasSubstr("in use"));
  first.reset();
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, LetsAWaitingRequestGoOnWhenAConnectionComesBack) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server, {.max_connections = 1});
  std::optional<Response> first(client.send({}).value());
  auto second = std::async(std::launch::async, [&] { return get(client); });
  EXPECT_EQ(first->read_all(10).value(), "ok");
  EXPECT_EQ(second.get().value(), "ok");
}

TEST(HttpClient, ServesManyThreadsAtOnce) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server, {.max_connections = 4, .connect_timeout = 60s});
  std::vector<std::future<int>> workers;
  for (int i = 0; i < 8; ++i) {
    workers.push_back(std::async(std::launch::async, [&] {
      int served = 0;
      for (int j = 0; j < 50; ++j) served += get(client).is_ok() ? 1 : 0;
      return served;
    }));
  }
  for (auto& worker : workers) EXPECT_EQ(worker.get(), 50);
  EXPECT_LE(server.connections(), 4);
}

TEST(HttpClient, EndsWhatRunsWhenItIsInterruptedAndRefusesMoreUntilItResumes) {
  std::binary_semaphore asked(0);
  ScriptedServer server([&](Peer& peer, int number) {
    if (number > 1) return serve_ok(peer, number);
    peer.read_request();
    asked.release();
    peer.wait_for_close();
  });
  Client client = client_of(server);
  auto running = std::async(std::launch::async, [&] { return get(client); });
  ASSERT_TRUE(asked.try_acquire_for(10s));
  client.interrupt();
  const Status ended = running.get().status();
  EXPECT_EQ(ended.code(), Code::kUnavailable);
  EXPECT_THAT(ended.message(), HasSubstr("interrupted"));
  EXPECT_THAT(get(client).status().message(), HasSubstr("interrupted"));
  client.resume();
  EXPECT_EQ(get(client).value(), "ok");
  EXPECT_EQ(client.connections(), 1u);
}

TEST(HttpClient, InterruptsABodyOnEitherWay) {
  ScriptedServer server([](Peer& peer, int) {
    if (peer.read_head().starts_with("GET")) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    peer.wait_for_close();
  });
  Client client = client_of(server);
  Result<Response> reading = client.send({});
  HookedBody body("x", [&] { client.interrupt(); });
  EXPECT_THAT(client.send({.method = "PUT", .content_length = 1, .body = &body}).status().message(), HasSubstr("interrupted"));
  EXPECT_THAT(reading->read_all(100).status().message(), HasSubstr("interrupted"));
}

TEST(HttpClient, InterruptsARequestThatWaitsForAPlace) {
  ScriptedServer server(serve_ok);
  Client client = client_of(server, {.max_connections = 1});
  Result<Response> first = client.send({});
  auto waiting = std::async(std::launch::async, [&] { return get(client); });
  client.interrupt();
  EXPECT_THAT(waiting.get().status().message(), HasSubstr("interrupted"));
}

}  // namespace
}  // namespace fermata::http
