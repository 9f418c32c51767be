// The S3 client of the plugins against each kind of server. Leaves one bucket behind.

#include "s3/client.hpp"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace fermata::s3 {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::IsSupersetOf;

/// "http://access:secret@host:port" in two.
std::pair<std::string, Credentials> parse_account(const std::string& url) {
  const std::size_t begin = url.find("//") + 2;
  const std::size_t end = url.rfind('@');
  const std::size_t colon = url.find(':', begin);
  return {url.substr(0, begin) + url.substr(end + 1), {url.substr(begin, colon - begin), url.substr(colon + 1, end - colon - 1)}};
}

/// `size` bytes that follow from their place.
class PatternBody final : public http::BodySource {
 public:
  explicit PatternBody(std::uint64_t size) : size_(size) {}
  Result<std::size_t> read(std::span<char> buffer) override {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - at_));
    for (std::size_t i = 0; i < size; ++i) buffer[i] = byte_at(at_ + i);
    at_ += size;
    return size;
  }
  bool rewind() override {
    at_ = 0;
    return true;
  }
  static char byte_at(std::uint64_t at) { return static_cast<char>(at * 31 + (at >> 8)); }

 private:
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
};

/// A kind of server, and the variable that names one: "http://access:secret@host:port".
struct S3Server {
  const char* name;
  const char* variable;
};

class S3ClientContract : public ::testing::TestWithParam<S3Server> {
 protected:
  void SetUp() override {
    const char* url = std::getenv(GetParam().variable);
    if (url == nullptr) GTEST_SKIP() << GetParam().variable << "=http://access:secret@host:port is not set: this server was not checked";
    auto [endpoint, credentials] = parse_account(url);
    http_ = std::make_shared<http::Client>(http::Endpoint::parse(endpoint).value(), http::ClientOptions{});
    credentials_ = std::make_shared<FixedCredentials>(credentials);
    client_ = std::make_unique<Client>(http_, credentials_, Options{});
    bucket_ = "fermata-" + std::to_string(std::random_device{}());
    ASSERT_TRUE(client_->create_bucket(bucket_));
    ASSERT_TRUE(client_->create_bucket(bucket_)) << "it is ours already";
    ASSERT_TRUE(client_->enable_versioning(bucket_));
  }

  WriteResult put(const std::string& key, std::string_view text, const ObjectHeaders& headers = {}, const Tags& tags = {}) {
    http::MemoryBody body(text);
    auto written = client_->put({bucket_, key}, headers, tags, body, text.size(), "");
    EXPECT_TRUE(written) << key << ": " << written.status().text();
    return written ? *written : WriteResult{};
  }

  std::string get(const ObjectRef& object, std::uint32_t part = 0) {
    auto body = client_->get(object, part);
    if (!body) return body.status().text();
    auto text = body->response.read_all(1 << 26);
    return text ? *text : text.status().text();
  }

  std::shared_ptr<http::Client> http_;
  std::shared_ptr<FixedCredentials> credentials_;
  std::unique_ptr<Client> client_;
  std::string bucket_;
};

TEST_P(S3ClientContract, KnowsItsBuckets) {
  EXPECT_TRUE(client_->head_bucket(bucket_));
  EXPECT_THAT(client_->list_buckets().value(), Contains(bucket_));
  EXPECT_EQ(client_->versioning(bucket_).value(), Client::Versioning::kEnabled);
  EXPECT_EQ(client_->head_bucket(bucket_ + "-absent").code(), Code::kNotFound);
  EXPECT_EQ(client_->get({bucket_ + "-absent", "k"}).status().code(), Code::kFailedPrecondition);
}

TEST_P(S3ClientContract, CarriesHeadersMetadataAndTags) {
  ObjectHeaders headers;
  headers.content_type = "text/x-test; charset=utf-8";
  headers.content_encoding = "gzip";
  headers.content_disposition = "attachment; filename=\"a b.txt\"";
  headers.content_language = "fr";
  headers.cache_control = "max-age=60";
  headers.user_metadata = {{"latin", "plain   text"}, {"accent", "caf\xc3\xa9 \xe2\x82\xac"}};
  const Tags tags{{"key one", "value @ more"}, {"plus", "a+b=c"}, {"empty", ""}};
  put("object", "content", headers, tags);
  const auto info = client_->head({bucket_, "object"});
  ASSERT_TRUE(info) << info.status().text();
  EXPECT_EQ(info->size, 7u);
  EXPECT_EQ(info->etag, "9a0364b9e99bb480dd25e1f0284c8555");
  EXPECT_EQ(info->headers.content_type, headers.content_type);
  EXPECT_EQ(info->headers.content_encoding, headers.content_encoding);
  EXPECT_EQ(info->headers.content_disposition, headers.content_disposition);
  EXPECT_EQ(info->headers.content_language, headers.content_language);
  EXPECT_EQ(info->headers.cache_control, headers.cache_control);
  // MinIO, as AWS, tells what is not ASCII in the form of RFC 2047.
  EXPECT_THAT(info->user("accent"), AnyOf("caf\xc3\xa9 \xe2\x82\xac", "=?UTF-8?q?caf=C3=A9_=E2=82=AC?="));
  EXPECT_EQ(info->user("latin"), "plain   text");
  EXPECT_GT(info->last_modified_ms, 1'600'000'000'000);
  EXPECT_EQ(client_->get_tags({bucket_, "object"}).value(), tags);
  EXPECT_TRUE(client_->put_tags({bucket_, "object"}, {{"only", "one"}}));
  EXPECT_EQ(client_->get_tags({bucket_, "object"}).value(), (Tags{{"only", "one"}}));
  put("bare", "x");
  EXPECT_EQ(client_->get_tags({bucket_, "bare"}).value(), Tags{});
  EXPECT_EQ(client_->get_tags({bucket_, "absent"}).status().code(), Code::kNotFound);
}

TEST_P(S3ClientContract, KeepsVersionsAndDeleteMarkers) {
  const WriteResult first = put("v", "one");
  const WriteResult second = put("v", "two");
  EXPECT_NE(first.version_id, second.version_id);
  EXPECT_EQ(get({bucket_, "v", first.version_id}), "one");
  EXPECT_EQ(get({bucket_, "v"}), "two");
  const auto marker = client_->remove({bucket_, "v"});
  ASSERT_TRUE(marker) << marker.status().text();
  EXPECT_TRUE(marker->delete_marker);
  EXPECT_EQ(client_->head({bucket_, "v"}).status().code(), Code::kNotFound);
  bool is_marker = false;  // asked by its version, as VersityGW does not tell for the current one
  EXPECT_EQ(client_->head({bucket_, "v", marker->version_id}, 0, &is_marker).status().code(), Code::kNotFound);
  EXPECT_TRUE(is_marker);
  EXPECT_EQ(client_->head({bucket_, "absent"}, 0, &is_marker).status().code(), Code::kNotFound);
  EXPECT_FALSE(is_marker);
  const auto page = client_->list_versions(bucket_, "v", "", "");
  ASSERT_TRUE(page) << page.status().text();
  ASSERT_EQ(page->versions.size(), 3u);
  std::vector<std::string> ids;
  for (const ListedVersion& version : page->versions) ids.push_back(version.version_id);
  EXPECT_THAT(ids, IsSupersetOf({first.version_id, second.version_id, marker->version_id}));
  const auto removed = client_->remove({bucket_, "v", marker->version_id});
  ASSERT_TRUE(removed) << removed.status().text();
  EXPECT_EQ(get({bucket_, "v"}), "two");
  EXPECT_TRUE(client_->remove({bucket_, "never-there"}));
}

TEST_P(S3ClientContract, TakesKeysOfEveryKind) {
  std::string longest;
  for (int i = 0; i < 5; ++i) longest += std::string(200, static_cast<char>('a' + i)) + "/";
  longest += std::string(1024 - longest.size(), 'z');
  std::vector<std::string> keys{
      "a b",  "a+b", "a%20b", "100%", "caf\xc3\xa9/\xe2\x82\xac", "q?x=1&y#z", "quote'\"<>", "star*(1)!$,;:@=~", "\xf0\x9f\x98\x80",
      longest};
  for (const std::string& key : keys) {
    put("keys/" + key.substr(0, 1024 - 5), key);
    EXPECT_EQ(get({bucket_, "keys/" + key.substr(0, 1024 - 5)}), key);
  }
  std::vector<std::string> listed;
  std::string key_marker, version_marker;
  while (true) {
    const auto page = client_->list_versions(bucket_, "keys/", key_marker, version_marker, 3);
    ASSERT_TRUE(page) << page.status().text();
    for (const ListedVersion& version : page->versions) listed.push_back(version.key.substr(5));
    if (!page->truncated) break;
    key_marker = page->next_key_marker;
    version_marker = page->next_version_id_marker;
  }
  for (std::string& key : keys) key = key.substr(0, 1024 - 5);
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(keys));
}

TEST_P(S3ClientContract, TakesLargeObjectsHoweverTheyAreSigned) {
  constexpr std::uint64_t kSize = 64 * 1024 * 1024 + 12'345;
  for (const auto payload : {Options::Payload::kSigned, Options::Payload::kUnsigned}) {
    Client client(http_, credentials_, {.payload = payload});
    PatternBody body(kSize);
    ObjectHeaders headers;
    headers.content_encoding = "identity-test";
    const auto written = client.put({bucket_, "large"}, headers, {}, body, kSize, "");
    ASSERT_TRUE(written) << written.status().text();
    auto read = client.get({bucket_, "large"});
    ASSERT_TRUE(read) << read.status().text();
    EXPECT_EQ(read->info.headers.content_encoding, "identity-test");
    EXPECT_EQ(read->info.size, kSize);
    std::vector<char> buffer(256 * 1024);
    std::uint64_t at = 0;
    bool same = true;
    while (true) {
      const auto size = read->response.read(buffer);
      ASSERT_TRUE(size) << size.status().text();
      if (*size == 0) break;
      for (std::size_t i = 0; i < *size; ++i) same = same && buffer[i] == PatternBody::byte_at(at + i);
      at += *size;
    }
    EXPECT_TRUE(same);
    EXPECT_EQ(at, kSize);
  }
}

TEST_P(S3ClientContract, RefusesADamagedBody) {
  for (const std::size_t size : {5u, 2'000'000u}) {
    const std::string data(size, 'x');
    http::MemoryBody body(data);
    const auto written = client_->put({bucket_, "damaged"}, {}, {}, body, data.size(), "00000000000000000000000000000000");
    EXPECT_EQ(written.status().code(), Code::kAborted) << written.status().text();
  }
}

TEST_P(S3ClientContract, PutsPartsTogether) {
  const ObjectRef object{bucket_, "parts/a b"};
  ObjectHeaders headers;
  headers.user_metadata = {{"m", "1"}};
  const auto id = client_->create_upload(object, headers, {{"t", "1"}});
  ASSERT_TRUE(id) << id.status().text();
  const auto uploads = client_->list_uploads(bucket_, "parts/a b");
  ASSERT_TRUE(uploads) << uploads.status().text();
  ASSERT_EQ(uploads->size(), 1u);
  EXPECT_EQ(uploads->at(0).key, object.key);
  EXPECT_EQ(uploads->at(0).upload_id, *id);
  std::vector<CompletedPart> parts;
  const std::array<std::uint64_t, 3> sizes{5 * 1024 * 1024, 6 * 1024 * 1024, 10};
  for (std::uint32_t i = 0; i < sizes.size(); ++i) {
    PatternBody body(sizes[i]);
    const auto etag = client_->upload_part(object, *id, i + 1, body, sizes[i], "");
    ASSERT_TRUE(etag) << etag.status().text();
    parts.push_back({i + 1, *etag});
  }
  const auto written = client_->complete_upload(object, *id, parts);
  ASSERT_TRUE(written) << written.status().text();
  EXPECT_TRUE(written->etag.ends_with("-3")) << written->etag;
  EXPECT_FALSE(written->version_id.empty());
  const auto part = client_->head(object, 2);
  ASSERT_TRUE(part) << part.status().text();
  EXPECT_EQ(part->size, sizes[1]);
  EXPECT_EQ(part->parts_count, 3u);
  EXPECT_EQ(get(object, 3).size(), sizes[2]);
  const auto whole = client_->head(object);
  EXPECT_EQ(whole->size, sizes[0] + sizes[1] + sizes[2]);
  EXPECT_EQ(whole->user("m"), "1");
  EXPECT_EQ(client_->get_tags(object).value(), (Tags{{"t", "1"}}));
}

TEST_P(S3ClientContract, AbortsUploads) {
  const ObjectRef object{bucket_, "aborted"};
  const auto id = client_->create_upload(object, {}, {});
  ASSERT_TRUE(id) << id.status().text();
  EXPECT_TRUE(client_->abort_upload(object, *id));
  EXPECT_TRUE(client_->list_uploads(bucket_, "aborted").value().empty());
  EXPECT_FALSE(client_->complete_upload(object, *id, std::vector<CompletedPart>{{1, "x"}}));
}

TEST_P(S3ClientContract, RefusesWrongCredentials) {
  Client wrong(http_, std::make_shared<FixedCredentials>(Credentials{credentials_->current().access_key, "wrong-secret"}), {});
  EXPECT_EQ(wrong.list_buckets().status().code(), Code::kUnauthenticated) << wrong.list_buckets().status().text();
  Client nobody(http_, std::make_shared<FixedCredentials>(Credentials{"nobody", "wrong-secret"}), {});
  EXPECT_EQ(nobody.list_buckets().status().code(), Code::kUnauthenticated) << nobody.list_buckets().status().text();
}

INSTANTIATE_TEST_SUITE_P(Servers, S3ClientContract,
                         ::testing::Values(S3Server{"minio", "FERMATA_TEST_MINIO"}, S3Server{"versitygw", "FERMATA_TEST_VERSITYGW"}),
                         [](const auto& server) { return std::string(server.param.name); });

}  // namespace
}  // namespace fermata::s3
