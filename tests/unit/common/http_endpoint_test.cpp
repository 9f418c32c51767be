#include "http/endpoint.hpp"

#include <gmock/gmock.h>

namespace fermata::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HttpEndpoint, ReadsSchemeHostPortAndBase) {
  EXPECT_EQ(Endpoint::parse("http://host").value(), (Endpoint{.tls = false, .host = "host", .port = 80}));
  EXPECT_EQ(Endpoint::parse("https://host").value(), (Endpoint{.tls = true, .host = "host", .port = 443}));
  EXPECT_EQ(Endpoint::parse("https://10.0.0.1:9000/a/b//").value(),
            (Endpoint{.tls = true, .host = "10.0.0.1", .port = 9000, .base_path = "/a/b"}));
  EXPECT_EQ(Endpoint::parse("http://[::1]:8080/").value(), (Endpoint{.tls = false, .host = "::1", .port = 8080}));
}

TEST(HttpEndpoint, NamesThePortInTheAuthorityOnlyIfItIsNotTheSchemesOwn) {
  EXPECT_EQ(Endpoint::parse("http://host:80")->authority(), "host");
  EXPECT_EQ(Endpoint::parse("http://host:443")->authority(), "host:443");
  EXPECT_EQ(Endpoint::parse("https://[::1]:443")->authority(), "[::1]");
  EXPECT_EQ(Endpoint::parse("https://[::1]:444")->authority(), "[::1]:444");
  EXPECT_EQ(Endpoint::parse("https://host/base")->text(), "https://host:443");
}

TEST(HttpEndpoint, SaysWhatIsWrong) {
  const auto message = [](std::string_view url) {
    const auto endpoint = Endpoint::parse(url);
    EXPECT_EQ(endpoint.status().code(), Code::kInvalidArgument) << url;
    return endpoint.status().message();
  };
  EXPECT_THAT(message(""), HasSubstr("http://"));
  EXPECT_THAT(message("ftp://host"), HasSubstr("http://"));
  EXPECT_THAT(message("http://"), HasSubstr("host is missing"));
  EXPECT_THAT(message("http://:80"), HasSubstr("host is missing"));
  EXPECT_THAT(message("http://host:0"), HasSubstr("port"));
  EXPECT_THAT(message("http://host:70000"), HasSubstr("port"));
  EXPECT_THAT(message("http://host:80x"), HasSubstr("port"));
  EXPECT_THAT(message("http://host:"), HasSubstr("port"));
  EXPECT_THAT(message("http://[::1"), HasSubstr("brackets"));
  EXPECT_THAT(message("http://[host]"), HasSubstr("brackets"));
  EXPECT_THAT(message("http://::1:80"), HasSubstr("host is missing"));
  EXPECT_THAT(message("http://host/a?b"), HasSubstr("query"));
  EXPECT_THAT(message("http://host/a b"), HasSubstr("blanks"));
  EXPECT_THAT(message("http://user:secret@host/p"),
              AllOf(HasSubstr("credentials"), HasSubstr("'http://***@host/p'"), Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace fermata::http
