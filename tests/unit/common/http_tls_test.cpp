#include "certificates.hpp"
#include "http/client.hpp"
#include "scripted_server.hpp"

#include <gmock/gmock.h>

#include <string>

namespace fermata::http {
namespace {

using test::Authority;
using test::Peer;
using test::ScriptedServer;
using ::testing::HasSubstr;

void serve_hello(Peer& peer, int) {
  while (!peer.read_request().empty()) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

Client client_at(const std::string& host, const ScriptedServer& server, ClientOptions options) {
  return {Endpoint{.tls = true, .host = host, .port = server.port()}, std::move(options)};
}

TEST(HttpTls, SpeaksToAServerThatTheAuthorityVouchesFor) {
  const Authority authority("fermata test");
  const auto context = authority.server("DNS:localhost,IP:127.0.0.1");
  ScriptedServer server(serve_hello, context.get());
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    Client client = client_at(host, server, {.ca_file = authority.file()});
    for (int i = 0; i < 3; ++i) {
      Result<Response> response = client.send({});
      ASSERT_TRUE(response) << response.status().text();
      EXPECT_EQ(response->read_all(10).value(), "hello");
    }
  }
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpTls, RefusesTheWrongHost) {
  const Authority authority("fermata test");
  const auto context = authority.server("DNS:elsewhere.example,IP:10.1.2.3");
  ScriptedServer server(serve_hello, context.get());
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    Client client = client_at(host, server, {.ca_file = authority.file()});
    const Status status = client.send({}).status();
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("mismatch"));
  }
}

TEST(HttpTls, RefusesAnAuthorityItDoesNotKnow) {
  const Authority known("fermata known");
  const Authority unknown("fermata unknown");
  const auto context = unknown.server("DNS:localhost");
  ScriptedServer server(serve_hello, context.get());
  for (const std::string& file : {known.file(), std::string()}) {
    Client client = client_at("localhost", server, {.ca_file = file});
    EXPECT_THAT(client.send({}).status().message(), HasSubstr("the certificate was refused"));
  }
  Client careless = client_at("localhost", server, {.verify_peer = false});
  EXPECT_TRUE(careless.send({}));
}

TEST(HttpTls, NamesACaFileThatCannotBeRead) {
  Client client(Endpoint{.tls = true, .host = "localhost", .port = 1}, {.ca_file = "/no/such/file.pem"});
  const Status status = client.send({}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("/no/such/file.pem"));
}

TEST(HttpTls, CarriesLargeBodiesBothWays) {
  const Authority authority("fermata test");
  const auto context = authority.server("DNS:localhost");
  const std::string large(3'000'000, 'x');
  ScriptedServer server(
      [&](Peer& peer, int) {
        peer.read_head();
        peer.write("HTTP/1.1 100 Continue\r\n\r\n");
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + peer.read_exactly(large.size()));
      },
      context.get());
  Client client = client_at("localhost", server, {.ca_file = authority.file()});
  MemoryBody body(large);
  Result<Response> response = client.send({.method = "PUT", .content_length = large.size(), .body = &body});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_TRUE(response->read_all(large.size()).value() == large);
}

TEST(HttpTls, DoesNotTakeATruncatedBodyForAWholeOne) {
  const Authority authority("fermata test");
  const auto context = authority.server("DNS:localhost");
  ScriptedServer server(
      [](Peer& peer, int) {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\n\r\nit ends without a close_notify");
      },
      context.get());
  Client client = client_at("localhost", server, {.ca_file = authority.file()});
  Result<Response> response = client.send({});
  ASSERT_TRUE(response) << response.status().text();
  EXPECT_EQ(response->read_all(100).status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace fermata::http
