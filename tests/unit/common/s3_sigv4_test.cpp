// The vectors are AWS's own: its test suite for Signature Version 4, and the examples in the reference of the S3 API.

#include "s3/chunk_signed_body.hpp"
#include "s3/encode.hpp"
#include "s3/sigv4.hpp"

#include <gmock/gmock.h>

#include <array>
#include <string>

namespace fermata::s3 {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

const Credentials kSuite{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
const Credentials kS3{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
constexpr std::string_view kS3Date = "20130524T000000Z";

std::string suite(std::string_view method, std::string_view path, std::string_view query, Headers more, std::string_view body = "") {
  Headers headers{{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}};
  headers.insert(headers.end(), more.begin(), more.end());
  const std::string hash = to_hex(sha256(body));
  return Signer("us-east-1", "service")
      .sign({.method = method, .path = path, .query = query, .headers = headers, .payload_hash = hash}, kSuite, "20150830T123600Z")
      .text;
}

std::string s3(std::string_view method, std::string_view path, std::string_view query, Headers headers, std::string_view body = "") {
  const std::string hash = to_hex(sha256(body));
  headers.emplace_back("Host", "examplebucket.s3.amazonaws.com");
  headers.emplace_back("x-amz-content-sha256", hash);
  headers.emplace_back("x-amz-date", kS3Date);
  return Signer("us-east-1")
      .sign({.method = method, .path = path, .query = query, .headers = headers, .payload_hash = hash}, kS3, kS3Date)
      .text;
}

TEST(SigV4, PassesTheTestSuite) {
  EXPECT_EQ(suite("GET", "/", "", {}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(suite("POST", "/", "", {}), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  EXPECT_EQ(suite("GET", "/", query_string({{"Param2", "value2"}, {"Param1", "value1"}}), {}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(suite("GET", uri_encode_path("/\xe1\x88\xb4"), "", {}), "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
  EXPECT_EQ(suite("GET", "/", "", {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}),
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
  EXPECT_EQ(suite("GET", "/", "", {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
  EXPECT_EQ(suite("POST", "/", "", {{"Content-Type", "application/x-www-form-urlencoded"}}, "Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

TEST(SigV4, SignsTheExamplesOfS3) {
  EXPECT_EQ(s3("GET", "/test.txt", "", {{"Range", "bytes=0-9"}}), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(s3("PUT", uri_encode_path("/test$file.text"), "",
               {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}, "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(s3("GET", "/", query_string({{"lifecycle", ""}}), {}), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(s3("GET", "/", query_string({{"prefix", "J"}, {"max-keys", "2"}}), {}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, TellsWhoSignedWhat) {
  const Signature signature =
      Signer("us-east-1").sign({.method = "GET", .path = "/", .headers = {{"Host", "h"}, {"X-B", "1"}, {"x-a", "2"}}}, kS3, kS3Date);
  EXPECT_EQ(signature.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-a;x-b,Signature=" +
                signature.text);
}

TEST(SigV4, DerivesANewKeyForANewDayAndNewCredentials) {
  Signer signer("us-east-1");
  const auto key = [&](const Credentials& credentials, std::string_view date) {
    return signer.sign({.method = "GET", .path = "/"}, credentials, date).key;
  };
  const auto first = key(kS3, kS3Date);
  EXPECT_EQ(key(kS3, "20130524T235959Z"), first);
  EXPECT_NE(key(kS3, "20130525T000000Z")->key, first->key);
  EXPECT_NE(key(kSuite, kS3Date)->key, first->key);
  EXPECT_EQ(key(kS3, kS3Date)->key, first->key);
}

/// The example of a chunked upload: 66,560 times 'a'.
ChunkSignedBody example_body(http::BodySource& body) {
  const Headers headers{{"Host", "s3.amazonaws.com"},
                        {"x-amz-date", std::string(kS3Date)},
                        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                        {"x-amz-content-sha256", std::string(kSignedChunks)},
                        {"Content-Encoding", "aws-chunked"},
                        {"x-amz-decoded-content-length", "66560"},
                        {"Content-Length", "66824"}};
  Signature seed = Signer("us-east-1")
                       .sign({.method = "PUT", .path = "/examplebucket/chunkObject.txt", .headers = headers, .payload_hash = kSignedChunks},
                             kS3, kS3Date);
  EXPECT_EQ(seed.text, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
  return {body, 66'560, ChunkSigner(std::move(seed), std::string(kS3Date))};
}

std::string read_whole(http::BodySource& body) {
  std::string text;
  std::array<char, 5000> buffer;
  while (true) {
    const auto size = body.read(buffer);
    EXPECT_TRUE(size) << size.status().text();
    if (!size || *size == 0) return text;
    text.append(buffer.data(), *size);
  }
}

TEST(ChunkSignedBody, SignsTheExampleOfS3) {
  const std::string data(66'560, 'a');
  http::MemoryBody memory(data);
  ChunkSignedBody body = example_body(memory);
  const std::string expected =
      "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + data.substr(0, 65'536) +
      "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + data.substr(65'536) +
      "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  EXPECT_TRUE(read_whole(body) == expected);
  EXPECT_EQ(ChunkSignedBody::encoded_length(66'560), 66'824u);
  EXPECT_EQ(expected.size(), 66'824u);
  ASSERT_TRUE(body.rewind());
  EXPECT_TRUE(read_whole(body) == expected);
}

TEST(ChunkSignedBody, KnowsItsLengthBeforehand) {
  for (const std::size_t size : {0u, 1u, 65'535u, 65'536u, 65'537u, 131'072u, 200'000u}) {
    const std::string data(size, 'x');
    http::MemoryBody memory(data);
    ChunkSignedBody body(memory, size, ChunkSigner(Signer("r").sign({.method = "PUT", .path = "/"}, kS3, kS3Date), std::string(kS3Date)));
    EXPECT_EQ(read_whole(body).size(), ChunkSignedBody::encoded_length(size)) << size;
  }
}

TEST(ChunkSignedBody, InsistsOnTheLengthThatWasAnnounced) {
  for (const std::uint64_t announced : {4u, 6u}) {
    http::MemoryBody memory("12345");
    ChunkSignedBody body(memory, announced,
                         ChunkSigner(Signer("r").sign({.method = "PUT", .path = "/"}, kS3, kS3Date), std::string(kS3Date)));
    std::array<char, 1000> buffer;
    Result<std::size_t> size = body.read(buffer);
    if (size) size = body.read(buffer);
    EXPECT_EQ(size.status().code(), Code::kInvalidArgument) << announced;
  }
}

}  // namespace
}  // namespace fermata::s3
