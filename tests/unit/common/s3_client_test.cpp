#include "s3/client.hpp"

#include "scripted_server.hpp"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

namespace fermata::s3 {
namespace {

using namespace std::chrono_literals;
using test::Peer;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string answer(std::string_view status, std::string_view body = "", std::string_view headers = "") {
  std::string text = "HTTP/1.1 ";
  text.append(status)
      .append("\r\n")
      .append(headers)
      .append("Content-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n")
      .append(body);
  return text;
}

std::string error(std::string_view status, std::string_view code, std::string_view headers = "") {
  return answer(status, "<Error><Code>" + std::string(code) + "</Code><Message>why</Message><RequestId>R1</RequestId></Error>", headers);
}

constexpr std::string_view kETag = "ETag: \"e\"\r\n";

/// A server that gives its answers one after the other, and keeps the requests.
class S3ClientTest : public ::testing::Test {
 protected:
  void answer_with(std::vector<std::string> answers) {
    server_ = std::make_unique<ScriptedServer>([this, answers = std::move(answers)](Peer& peer, int) {
      while (true) {
        std::string request = peer.read_request();
        if (request.empty()) return;
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
        if (requests_.size() > answers.size()) return;
        peer.write(answers[requests_.size() - 1]);
      }
    });
    client_ = make_client({});
  }

  std::unique_ptr<Client> make_client(Options options) {
    auto http = std::make_shared<http::Client>(http::Endpoint::parse(server_->url()).value(), http::ClientOptions{});
    return std::make_unique<Client>(std::move(http), std::make_shared<FixedCredentials>(Credentials{"access", "secret", "token"}),
                                    std::move(options));
  }

  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  std::mutex mutex_;
  std::vector<std::string> requests_;  // guarded by mutex_
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(S3ClientTest, PutsASmallObjectWithAllThatBelongsToIt) {
  answer_with({answer("200 OK", "", "ETag: \"e\"\r\nx-amz-version-id: v1\r\n")});
  ObjectHeaders headers;
  headers.content_type = "text/plain";
  headers.content_encoding = "gzip";
  headers.storage_class = "STANDARD_IA";
  headers.user_metadata = {{"name", "caf\xc3\xa9"}};
  http::MemoryBody body("hello");
  const auto written = client_->put({"bucket", "a b/\xc3\xa9"}, headers, {{"k y", "v&"}}, body, 5, "5d41402abc4b2a76b9719d911017c592");
  ASSERT_TRUE(written) << written.status().text();
  EXPECT_EQ(written->etag, "e");
  EXPECT_EQ(written->version_id, "v1");
  const std::string request = requests().at(0);
  EXPECT_THAT(request, StartsWith("PUT /bucket/a%20b/%C3%A9 HTTP/1.1\r\n"));
  EXPECT_THAT(request, AllOf(HasSubstr("content-type: text/plain\r\n"), HasSubstr("content-encoding: gzip\r\n"),
                             HasSubstr("x-amz-storage-class: STANDARD_IA\r\n"), HasSubstr("x-amz-meta-name: caf\xc3\xa9\r\n"),
                             HasSubstr("x-amz-tagging: k%20y=v%26\r\n"), HasSubstr("Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"),
                             HasSubstr("x-amz-security-token: token\r\n")));
  EXPECT_THAT(request, HasSubstr("x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\r\n"));
  EXPECT_THAT(request, HasSubstr("Authorization: AWS4-HMAC-SHA256 Credential=access/"));
  EXPECT_THAT(request, Not(HasSubstr("secret,")));
}

TEST_F(S3ClientTest, SignsALargeObjectInChunksOrNotAtAll) {
  const std::string large(1'500'000, 'x');
  for (const auto payload : {Options::Payload::kAuto, Options::Payload::kUnsigned}) {
    requests_.clear();
    std::string head;
    server_ = std::make_unique<ScriptedServer>([&](Peer& peer, int) {
      head = peer.read_head();
      peer.write("HTTP/1.1 100 Continue\r\n\r\n");
      peer.read_exactly(std::stoul(head.substr(head.find("Content-Length: ") + 16)));
      peer.write(answer("200 OK", "", kETag));
    });
    client_ = make_client({.payload = payload});
    http::MemoryBody body(large);
    const auto written = client_->put({"b", "k"}, {}, {}, body, large.size(), "");
    ASSERT_TRUE(written) << written.status().text();
    const bool chunks = payload == Options::Payload::kAuto;
    EXPECT_THAT(head, HasSubstr(chunks ? "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n" : "UNSIGNED-PAYLOAD\r\n"));
    EXPECT_EQ(head.find("x-amz-decoded-content-length: 1500000\r\n") != std::string::npos, chunks);
    EXPECT_EQ(head.find("Content-Length: 1500000\r\n") == std::string::npos, chunks);
    client_.reset();
  }
}

TEST_F(S3ClientTest, ReadsAnObjectAndWhatIsToldAboutIt) {
  answer_with({answer("200 OK", "hello",
                      "ETag: \"e-2\"\r\nx-amz-version-id: v\r\nLast-Modified: Fri, 24 May 2013 00:00:00 GMT\r\nX-Amz-Meta-Name: x\r\n"
                      "Content-Type: text/plain\r\nx-amz-mp-parts-count: 2\r\nx-amz-tagging-count: 3\r\n")});
  auto body = client_->get({"b", "k", "v"}, 2);
  ASSERT_TRUE(body) << body.status().text();
  EXPECT_EQ(body->info.size, 5u);
  EXPECT_EQ(body->info.etag, "e-2");
  EXPECT_EQ(body->info.version_id, "v");
  EXPECT_EQ(body->info.last_modified_ms, 1'369'353'600'000);
  EXPECT_EQ(body->info.user("name"), "x");
  EXPECT_EQ(body->info.user("other"), "");
  EXPECT_EQ(body->info.headers.content_type, "text/plain");
  EXPECT_EQ(body->info.parts_count, 2u);
  EXPECT_EQ(body->info.tagging_count, 3u);
  EXPECT_EQ(body->response.read_all(100).value(), "hello");
  EXPECT_THAT(requests().at(0), StartsWith("GET /b/k?partNumber=2&versionId=v HTTP/1.1\r\n"));
}

TEST_F(S3ClientTest, TellsADeleteMarkerFromAnObjectThatIsNotThere) {
  answer_with({"HTTP/1.1 404 Not Found\r\nx-amz-delete-marker: true\r\nContent-Length: 9\r\n\r\n",
               "HTTP/1.1 405 Method Not Allowed\r\nx-amz-delete-marker: true\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n"});
  for (const bool expected : {true, true, false}) {
    bool marker = !expected;
    EXPECT_EQ(client_->head({"b", "k"}, 0, &marker).status().code(), Code::kNotFound);
    EXPECT_EQ(marker, expected);
  }
}

TEST_F(S3ClientTest, TriesReadsThreeTimes) {
  answer_with({error("500 Oops", "InternalError"), error("503 Slow Down", "SlowDown"), answer("200 OK", "<Tagging><TagSet/></Tagging>")});
  EXPECT_EQ(client_->get_tags({"b", "k"}).value(), Tags{});
  EXPECT_EQ(requests().size(), 3u);
}

TEST_F(S3ClientTest, GivesUpAfterThreeTriesAndNamesWhatFailed) {
  answer_with({error("500 Oops", "InternalError"), error("500 Oops", "InternalError"), error("500 Oops", "InternalError")});
  const Status status = client_->get({"b", "k"}).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), AllOf(StartsWith(server_->url() + ": GetObject b/k: InternalError (500): why"), HasSubstr("R1")));
  EXPECT_EQ(requests().size(), 3u);
}

TEST_F(S3ClientTest, SendsWritesOnce) {
  answer_with({error("503 Slow Down", "SlowDown", "Retry-After: 7\r\n")});
  http::MemoryBody body("x");
  const Status status = client_->put({"b", "k"}, {}, {}, body, 1, "").status();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("Retry-After 7 s"));
  EXPECT_EQ(requests().size(), 1u);
}

TEST_F(S3ClientTest, DoesNotTryAgainWhatCannotWork) {
  answer_with({error("403 Forbidden", "AccessDenied"), error("404 Not Found", "NoSuchBucket")});
  EXPECT_EQ(client_->get({"b", "k"}).status().code(), Code::kPermissionDenied);
  EXPECT_EQ(client_->get({"b", "k"}).status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(requests().size(), 2u);
}

std::string date_of(const std::string& request) { return request.substr(request.find("x-amz-date: ") + 12, 8); }

TEST_F(S3ClientTest, FollowsTheServersClockOnceItWasToldThatItsOwnIsWrong) {
  answer_with({error("403 Forbidden", "RequestTimeTooSkewed", "Date: Fri, 24 May 2013 12:00:00 GMT\r\n"), answer("200 OK", "", kETag),
               answer("200 OK", "", kETag)});
  for (int i = 0; i < 2; ++i) {
    http::MemoryBody body("x");
    EXPECT_TRUE(client_->put({"b", "k"}, {}, {}, body, 1, ""));
  }
  ASSERT_EQ(requests().size(), 3u);
  EXPECT_NE(date_of(requests()[0]), "20130524");
  EXPECT_EQ(date_of(requests()[1]), "20130524");
  EXPECT_EQ(date_of(requests()[2]), "20130524");
}

TEST_F(S3ClientTest, TakesABareRefusalOfAHeadForSkewIfTheClocksDiffer) {
  answer_with({"HTTP/1.1 403 Forbidden\r\nDate: Fri, 24 May 2013 12:00:00 GMT\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
               "HTTP/1.1 403 Forbidden\r\nDate: Fri, 24 May 2013 12:00:00 GMT\r\n\r\n"});
  EXPECT_EQ(client_->head({"b", "k"})->size, 5u);
  EXPECT_EQ(client_->head({"b", "k"}).status().code(), Code::kPermissionDenied);
  EXPECT_EQ(requests().size(), 3u);
}

TEST_F(S3ClientTest, CompletesAnUpload) {
  answer_with({answer("200 OK", "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>"),
               answer("200 OK", "", "ETag: \"p1\"\r\n"),
               answer("200 OK", "\n\n<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>",
                      "x-amz-version-id: v\r\n")});
  const auto id = client_->create_upload({"b", "k"}, {}, {});
  ASSERT_TRUE(id) << id.status().text();
  http::MemoryBody body("x");
  EXPECT_EQ(client_->upload_part({"b", "k"}, *id, 1, body, 1, "").value(), "p1");
  const std::vector<CompletedPart> parts{{1, "p1"}};
  const auto written = client_->complete_upload({"b", "k"}, *id, parts);
  ASSERT_TRUE(written) << written.status().text();
  EXPECT_EQ(written->etag, "e-1");
  EXPECT_EQ(written->version_id, "v");
  EXPECT_THAT(requests().at(1), StartsWith("PUT /b/k?partNumber=1&uploadId=u%2F1 "));
}

TEST_F(S3ClientTest, SeesThatCompletingFailedThoughTheAnswerWas200) {
  answer_with({error("200 OK", "InternalError"), error("200 OK", "InvalidPart"), answer("200 OK", "")});
  const auto complete = [&] { return client_->complete_upload({"b", "k"}, "u", {}).status(); };
  EXPECT_EQ(complete().code(), Code::kUnavailable);
  EXPECT_EQ(complete().code(), Code::kAborted);
  EXPECT_EQ(complete().code(), Code::kUnavailable);
}

TEST_F(S3ClientTest, RemovesAnObjectThatIsNotThere) {
  answer_with({error("404 Not Found", "NoSuchKey"), error("404 Not Found", "NoSuchBucket"),
               "HTTP/1.1 204 No Content\r\nx-amz-version-id: v\r\nx-amz-delete-marker: true\r\n\r\n"});
  EXPECT_TRUE(client_->remove({"b", "k"}));
  EXPECT_EQ(client_->remove({"b", "k"}).status().code(), Code::kFailedPrecondition);
  const auto removed = client_->remove({"b", "k"});
  EXPECT_EQ(removed->version_id, "v");
  EXPECT_TRUE(removed->delete_marker);
}

TEST_F(S3ClientTest, NeverTakesAnEmptyKeyForTheBucket) {
  answer_with({});
  EXPECT_EQ(client_->remove({"b", ""}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(client_->get({"", "k"}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(requests().size(), 0u);
}

TEST_F(S3ClientTest, PutsTheBucketIntoTheHostNameIfItIsToldTo) {
  answer_with({answer("200 OK"), answer("200 OK")});
  client_ = make_client({.path_style = false});
  EXPECT_TRUE(client_->head_bucket("bucket"));
  EXPECT_THAT(requests().at(0), StartsWith("HEAD / HTTP/1.1\r\nHost: bucket.127.0.0.1:"));
  EXPECT_TRUE(client_->remove({"bucket", "a//../b"}));
  EXPECT_THAT(requests().at(1), StartsWith("DELETE /a//../b HTTP/1.1\r\n"));
}

TEST_F(S3ClientTest, TellsABucketThatIsMissingFromOneThatIsElsewhere) {
  answer_with({answer("404 Not Found"), answer("301 Moved Permanently"), answer("405 Method Not Allowed")});
  EXPECT_EQ(client_->head_bucket("b").code(), Code::kNotFound);
  const auto elsewhere = client_->head_bucket("b");
  EXPECT_EQ(elsewhere.code(), Code::kFailedPrecondition);
  EXPECT_THAT(elsewhere.message(), HasSubstr("look at endpoint and region"));
  EXPECT_EQ(client_->head_bucket("b").code(), Code::kFailedPrecondition);
}

TEST_F(S3ClientTest, KnowsWhenAnETagIsNoMd5) {
  answer_with({answer("200 OK"), answer("200 OK", "", "x-amz-server-side-encryption: AES256\r\n"),
               answer("200 OK", "", "x-amz-server-side-encryption: aws:kms\r\n"),
               answer("200 OK", "", "x-amz-server-side-encryption-customer-algorithm: AES256\r\n")});
  for (const bool is_md5 : {true, true, false, false}) EXPECT_EQ(client_->get({"b", "k"})->info.etag_is_md5, is_md5);
}

TEST_F(S3ClientTest, NamesTheObjectWhoseAnswerCannotBeRead) {
  answer_with({answer("200 OK", "nonsense"), answer("200 OK", "nonsense"), answer("200 OK", "nonsense")});
  EXPECT_THAT(client_->get_tags({"b", "k"}).status().message(), HasSubstr("GetObjectTagging b/k: "));
  EXPECT_THAT(client_->create_upload({"b", "k"}, {}, {}).status().message(), HasSubstr("CreateMultipartUpload b/k: "));
  EXPECT_THAT(client_->complete_upload({"b", "k"}, "u", {}).status().message(), HasSubstr("CompleteMultipartUpload b/k: "));
}

TEST_F(S3ClientTest, TakesNothingForStoredAndNobodyForAStoreThatDoesNotSpeakS3) {
  answer_with({answer("200 OK"), answer("200 OK", "{\"json\":1}"), answer("200 OK", "<html/>"), answer("403 Forbidden")});
  http::MemoryBody body("x");
  const auto written = client_->put({"b", "k"}, {}, {}, body, 1, "");
  EXPECT_EQ(written.status().code(), Code::kUnavailable);
  EXPECT_THAT(written.status().message(), HasSubstr("PutObject b/k: the answer has no ETag"));
  body.rewind();
  EXPECT_EQ(client_->upload_part({"b", "k"}, "u", 1, body, 1, "").status().code(), Code::kUnavailable);
  EXPECT_EQ(client_->ping().code(), Code::kUnavailable);
  EXPECT_TRUE(client_->ping()) << "it knows us, and lets us list nothing";
}

TEST_F(S3ClientTest, DoesNotMindABucketThatIsOursAlready) {
  answer_with({error("409 Conflict", "BucketAlreadyOwnedByYou"), error("409 Conflict", "BucketAlreadyExists")});
  client_ = make_client({.region = "eu-west-3"});
  EXPECT_TRUE(client_->create_bucket("b"));
  EXPECT_EQ(client_->create_bucket("b").code(), Code::kFailedPrecondition);
  EXPECT_THAT(requests().at(0), HasSubstr("<LocationConstraint>eu-west-3</LocationConstraint>"));
}

TEST_F(S3ClientTest, InsistsOnTheSizeThatWasAnnounced) {
  answer_with({});
  for (const std::uint64_t size : {4u, 6u}) {
    http::MemoryBody body("12345");
    EXPECT_EQ(client_->put({"b", "k"}, {}, {}, body, size, "").status().code(), Code::kInvalidArgument);
  }
  http::MemoryBody body("12345");
  EXPECT_EQ(client_->put({"b", "k"}, {}, {}, body, 5, "zz").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(requests().size(), 0u);
}

TEST_F(S3ClientTest, DoesNotTakeAPageOfAProxyForAListing) {
  answer_with({answer("200 OK", "<html>Please log in</html>")});
  const Status status = client_->list_versions("b", "", "", "").status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("ListObjectVersions b"));
}

TEST_F(S3ClientTest, IsInterruptedWhileItWaitsForTheNextTry) {
  std::binary_semaphore refused(0);
  server_ = std::make_unique<ScriptedServer>([&](Peer& peer, int) {
    peer.read_request();
    peer.write(error("503 Slow Down", "SlowDown", "Retry-After: 3600\r\n"));
    refused.release();
    peer.wait_for_close();
  });
  client_ = make_client({});
  auto running = std::async(std::launch::async, [&] { return client_->list_buckets().status(); });
  ASSERT_TRUE(refused.try_acquire_for(10s));
  const auto before = std::chrono::steady_clock::now();
  client_->interrupt();
  EXPECT_FALSE(running.get());
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
  client_->resume();
}

}  // namespace
}  // namespace fermata::s3
