// What every target of replication must do, over each kind there is.
#include "object_store_contract.hpp"

#include "object_store_implementations.hpp"
#include "store/checksum.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace fermata::crr::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Pair;
using Kind = TargetObject::Kind;

std::string md5_of(std::string_view content) {
  Checksum checksum;
  checksum.update(content);
  return checksum.finish();
}

/// An object of the source, in memory. Of one in parts each part is `parts[n-1]`.
class MemoryReader final : public ObjectReader {
 public:
  MemoryReader(std::string content, ObjectMeta meta) : content_(std::move(content)), meta_(std::move(meta)) {
    meta_.size = content_.size();
  }
  const ObjectMeta& meta() const override { return meta_; }
  Result<std::size_t> read(std::span<char> buffer) override {
    if (at_ >= fails_at) return Status(Code::kUnavailable, "the source was cut off");
    const std::size_t count = std::min({buffer.size(), content_.size() - at_, fails_at - at_});
    std::memcpy(buffer.data(), content_.data() + at_, count);
    at_ += count;
    return count;
  }
  Status check_unchanged() override { return unchanged; }
  Result<std::unique_ptr<ObjectReader>> open_part(const Part& part) override {
    if (parts.empty()) return std::unique_ptr<ObjectReader>(std::make_unique<MemoryReader>(content_.substr(part.offset, part.size), meta_));
    return std::unique_ptr<ObjectReader>(std::make_unique<MemoryReader>(parts.at(part.number - 1), ObjectMeta{}));
  }

  std::size_t fails_at = std::string::npos;
  Status unchanged = Status::ok();
  std::vector<std::string> parts;

 private:
  const std::string content_;
  ObjectMeta meta_;
  std::size_t at_ = 0;
};

class ObjectStoreContract : public ::testing::TestWithParam<StoreImplementation> {
 protected:
  void SetUp() override {
    std::string why_not;
    under_test_ = GetParam().make(why_not);
    if (!under_test_) GTEST_SKIP() << why_not;
    id_ = {under_test_->bucket(), "k"};
  }
  ObjectStore& store() { return under_test_->store(); }

  Result<ObjectStore::Stored> put(const std::string& content, const std::string& version = {}) {
    ObjectMeta meta;
    meta.mode = 0644;
    meta.version_id = version;
    MemoryReader reader(content, meta);
    return store().put(id_, reader);
  }
  /// What a client of the target reads; nullopt: there is no object.
  std::optional<std::string> content() {
    auto reader = under_test_->reader().open(id_, {});
    if (!reader) {
      EXPECT_EQ(reader.status().code(), Code::kNotFound) << reader.status().text();
      return std::nullopt;
    }
    std::string all;
    std::vector<char> buffer(1 << 20);
    while (true) {
      const auto count = (*reader)->read(buffer);
      EXPECT_TRUE(count) << count.status().text();
      if (!count || *count == 0) return all;
      all.append(buffer.data(), *count);
    }
  }

  std::vector<std::pair<std::string, std::string>> metadata_after_put(const ObjectMeta& meta) {
    MemoryReader reader("x", meta);
    EXPECT_TRUE(store().put(id_, reader));
    auto copy = under_test_->reader().open(id_, {});
    EXPECT_TRUE(copy);
    return copy ? (*copy)->meta().user_metadata : std::vector<std::pair<std::string, std::string>>();
  }

  std::unique_ptr<StoreUnderTest> under_test_;
  ObjectId id_;
};

Status ok() { return Status::ok(); }

TEST_P(ObjectStoreContract, ObjectsOfEverySizeArriveAsTheyWere) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4'096}, std::size_t{1} << 20, (std::size_t{1} << 20) + 1, std::size_t{9'000'001}}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
    const auto stored = put(bytes);
    ASSERT_TRUE(stored) << size << ": " << stored.status().text();
    EXPECT_EQ(stored->bytes, size);
    EXPECT_EQ(stored->etag, md5_of(bytes));
    EXPECT_TRUE(content() == bytes) << size;
  }
}

TEST_P(ObjectStoreContract, OddKeysAreKeysLikeOthers) {
  std::vector<std::string> keys{"a b",     "a+b", "a%2Fb",         "\xc3\xa4/\xe6\x97\xa5\xe6\x9c\xac",
                                "a?b=c&d", "a#b", "~tilde/(x)'!*", std::string(200, 'x') + "/" + std::string(200, 'y')};
  if (under_test_->takes_empty_parts()) keys.emplace_back("a//b");
  for (const auto& key : keys) {
    id_.key = key;
    const auto stored = put(key);
    ASSERT_TRUE(stored) << key << ": " << stored.status().text();
    EXPECT_EQ(content(), key);
    EXPECT_EQ(store().latest(id_)->kind, Kind::kObject) << key;
    ASSERT_TRUE(store().remove(id_, ok)) << key;
    EXPECT_EQ(content(), std::nullopt) << key;
  }
}

TEST_P(ObjectStoreContract, ASourceThatFailsHalfWayLeavesTheOldObject) {
  ASSERT_TRUE(put("old"));
  for (const std::size_t size : {std::size_t{1'000}, std::size_t{5} << 20}) {
    MemoryReader reader(std::string(size, 'n'), {.mode = 0644});
    reader.fails_at = size / 2;
    EXPECT_EQ(store().put(id_, reader).status().code(), Code::kUnavailable);
    EXPECT_EQ(content(), "old");
  }
}

TEST_P(ObjectStoreContract, AnObjectThatChangesUnderWayLeavesTheOldOne) {
  ASSERT_TRUE(put("old"));
  MemoryReader reader("new", {.mode = 0644});
  reader.unchanged = {Code::kAborted, "it changed"};
  EXPECT_EQ(store().put(id_, reader).status().code(), Code::kAborted);
  EXPECT_EQ(content(), "old");
}

TEST_P(ObjectStoreContract, RemovingIsIdempotentAndAsksBefore) {
  EXPECT_TRUE(store().remove(id_, ok)) << "there is none";
  ASSERT_TRUE(put("one"));
  EXPECT_EQ(store().remove(id_, [] { return Status(Code::kAborted, "it is back"); }).status().code(), Code::kAborted);
  EXPECT_EQ(content(), "one");
  const auto marker = store().remove(id_, ok);
  ASSERT_TRUE(marker);
  EXPECT_EQ(content(), std::nullopt);
  EXPECT_EQ(*store().remove(id_, ok), *marker) << "one marker is enough";
}

TEST_P(ObjectStoreContract, TheLatestReplicaSaysOfWhichVersionItIs) {
  EXPECT_EQ(store().latest(id_)->kind, Kind::kNothing);
  EXPECT_EQ(store().visible(id_)->kind, Kind::kNothing);
  ASSERT_TRUE(put("one", "v1"));
  ASSERT_TRUE(put("two", "v2"));
  const auto latest = store().latest(id_);
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->kind, Kind::kObject);
  EXPECT_EQ(latest->source_version, "v2");
  EXPECT_EQ(store().visible(id_)->kind, Kind::kObject);
  EXPECT_EQ(store().visible(id_)->source_version, "v2");
  ASSERT_TRUE(store().remove(id_, ok));
  EXPECT_NE(store().visible(id_)->kind, Kind::kObject);
  EXPECT_EQ(store().latest(id_)->kind, under_test_->keeps_versions() ? Kind::kDeleteMarker : Kind::kNothing);
}

TEST_P(ObjectStoreContract, TheHistoryIsNewestFirst) {
  ASSERT_TRUE(put("one", "v1"));
  ASSERT_TRUE(put("two", "v2"));
  const auto history = store().history(id_);
  ASSERT_TRUE(history) << history.status().text();
  ASSERT_FALSE(history->empty());
  EXPECT_EQ(history->front().source_version, "v2");
  if (!under_test_->keeps_versions()) return;
  ASSERT_EQ(history->size(), 2u);
  EXPECT_EQ(history->at(1).source_version, "v1");
}

TEST_P(ObjectStoreContract, AVersionIsRemovedByItsNameAtTheSource) {
  ASSERT_TRUE(put("one", "v1"));
  ASSERT_TRUE(put("two", "v2"));
  EXPECT_TRUE(store().remove_version(id_, "v7", {})) << "there is none";
  ASSERT_TRUE(store().remove_version(id_, "v1", {}));
  EXPECT_EQ(content(), "two");
  EXPECT_EQ(store().history(id_)->size(), 1u);
}

TEST_P(ObjectStoreContract, AnObjectIsThereIfItIsTheSame) {
  ObjectMeta meta;
  meta.mode = 0644;
  meta.mtime_ns = 1'700'000'000'123'456'789;
  MemoryReader reader("content", meta);
  EXPECT_FALSE(*store().has(id_, reader.meta()));
  ASSERT_TRUE(store().put(id_, reader));
  EXPECT_TRUE(*store().has(id_, reader.meta()));
  meta.size = 7;
  meta.mtime_ns += 1;
  EXPECT_FALSE(*store().has(id_, meta));
}

TEST_P(ObjectStoreContract, UserMetadataComeAlong) {
  ObjectMeta meta;
  meta.mode = 0644;
  meta.user_metadata = {{"owner", "somebody"}};
  EXPECT_THAT(metadata_after_put(meta), Contains(meta.user_metadata[0]));
}

/// What only stores have that speak S3.
class S3StoreContract : public ObjectStoreContract {};

TEST_P(S3StoreContract, HeadersOfS3ComeAlong) {
  ObjectMeta meta;
  meta.content = {"text/x-test; charset=utf-8",   "gzip", "attachment; filename=\"a b.txt\"", "de", "max-age=7, public",
                  "Wed, 21 Oct 2026 07:28:00 GMT"};
  MemoryReader reader("x", meta);
  ASSERT_TRUE(store().put(id_, reader));
  auto copy = under_test_->reader().open(id_, {});
  ASSERT_TRUE(copy);
  const auto& got = (*copy)->meta().content;
  EXPECT_EQ(got.type, meta.content.type);
  EXPECT_EQ(got.encoding, meta.content.encoding);
  EXPECT_EQ(got.disposition, meta.content.disposition);
  EXPECT_EQ(got.language, meta.content.language);
  EXPECT_EQ(got.cache_control, meta.content.cache_control);
  EXPECT_EQ(got.expires, meta.content.expires);
  EXPECT_TRUE((*copy)->meta().replica);
}

TEST_P(S3StoreContract, DamageIsFoundBeforeItIsSeen) {
  ASSERT_TRUE(put("old"));
  for (const std::size_t size : {std::size_t{1'000}, std::size_t{3} << 20}) {
    ObjectMeta meta;
    meta.etag = md5_of("what the source has");
    MemoryReader reader(std::string(size, 'd'), meta);
    EXPECT_EQ(store().put(id_, reader).status().code(), Code::kAborted);
    EXPECT_EQ(content(), "old");
  }
}

TEST_P(S3StoreContract, BucketsAreMadeAndKeepVersionsAlsoWhenWhoeverBeganToMakeThemWasCutOff) {
  for (const auto& bucket : {under_test_->bucket() + "-new", under_test_->make_bare_bucket()}) {
    id_.bucket = bucket;
    ASSERT_TRUE(put("one", "v1"));
    ASSERT_TRUE(put("two", "v2"));
    const auto history = store().history(id_);
    ASSERT_TRUE(history) << history.status().text();
    EXPECT_EQ(history->size(), 2u) << bucket;
  }
}

class MultipartContract : public S3StoreContract {
 protected:
  static constexpr std::size_t kPart = std::size_t{5} << 20;  // the least that S3 allows

  MemoryReader reader(std::string last) {
    ObjectMeta meta;
    meta.parts = 3;
    const std::vector<std::string> parts{std::string(kPart, 'a'), std::string(kPart + 7, 'b'), std::move(last)};
    std::string md5s;
    for (const auto& part : parts) {
      const std::string hex = md5_of(part);
      for (std::size_t i = 0; i < hex.size(); i += 2) md5s += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    meta.etag = md5_of(md5s) + "-3";
    MemoryReader made(parts[0] + parts[1] + parts[2], meta);
    made.parts = parts;
    return made;
  }
};

TEST_P(MultipartContract, AnObjectInPartsKeepsThemAndItsETag) {
  auto source = reader("c");
  const auto stored = store().put(id_, source);
  ASSERT_TRUE(stored) << stored.status().text();
  EXPECT_EQ(stored->etag, source.meta().etag);
  EXPECT_EQ(content()->size(), source.meta().size);
}

TEST_P(MultipartContract, DamageInAPartIsFoundBeforeItIsSeenAndTheUploadAborted) {
  ASSERT_TRUE(put("old"));
  auto source = reader("c");
  source.parts[1][7] = 'x';
  EXPECT_EQ(store().put(id_, source).status().code(), Code::kAborted);
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(under_test_->unfinished_uploads(), 0u);
}

TEST_P(MultipartContract, AnUploadThatWeLeftIsAbortedAndNobodyElses) {
  under_test_->begin_upload(id_, true);
  under_test_->begin_upload(id_, false);
  EXPECT_EQ(under_test_->unfinished_uploads(), 2u);
  auto source = reader("c");
  ASSERT_TRUE(store().put(id_, source));
  EXPECT_EQ(under_test_->unfinished_uploads(), 1u);
}

TEST_P(MultipartContract, WhatTheSourceEncryptedHasAnETagThatTellsNothing) {
  for (const std::uint32_t parts : {0u, 3u}) {
    auto source = reader("c");
    ObjectMeta meta = source.meta();
    meta.etag = md5_of("its key") + (parts > 0 ? "-3" : "");
    meta.etag_is_md5 = false;
    meta.parts = parts;
    MemoryReader encrypted(std::string(kPart, 'a') + std::string(kPart + 7, 'b') + "c", meta);
    encrypted.parts = source.parts;
    const auto stored = store().put(id_, encrypted);
    ASSERT_TRUE(stored) << stored.status().text();
    EXPECT_EQ(content()->size(), meta.size);
    EXPECT_TRUE(*store().has(id_, meta));
  }
}

TEST_P(S3StoreContract, AVersionIsFoundBehindAThousandOthers) {
  ASSERT_TRUE(put("first", "v0"));
  for (int i = 1; i <= 1'000; ++i) ASSERT_TRUE(put("x", "v" + std::to_string(i)));
  ASSERT_TRUE(store().remove_version(id_, "v0", {}));
  EXPECT_EQ(store().history(id_)->size(), 1'000u);
}

/// What not every store does.
class FullStoreContract : public ObjectStoreContract {};
class FullS3Contract : public MultipartContract {};

TEST_P(FullStoreContract, TheNewestVersionIsRemovedAndWhatWasBeforeItShows) {
  ASSERT_TRUE(put("one", "v1"));
  ASSERT_TRUE(put("two", "v2"));
  ASSERT_TRUE(store().remove_version(id_, "v2", {}));
  EXPECT_EQ(content(), under_test_->keeps_versions() ? std::optional<std::string>("one") : std::nullopt);
}

TEST_P(FullStoreContract, UserMetadataMayBeAnyText) {
  ObjectMeta meta;
  meta.mode = 0644;
  meta.user_metadata = {{"title",
                         "\xc3\x9c"
                         "bung 1"}};
  // As the bytes they are, or, like AWS, in the form of RFC 2047.
  EXPECT_THAT(metadata_after_put(meta), Contains(Pair("title", AnyOf(meta.user_metadata[0].second, "=?UTF-8?q?=C3=9Cbung_1?="))));
}

TEST_P(FullS3Contract, TagsComeAlongAndAreReplaced) {
  ObjectMeta meta;
  meta.version_id = "v1";
  meta.tags = {{"class", "gold / silver"}, {"a key", "=+@:."}};
  MemoryReader reader("x", meta);
  const auto stored = store().put(id_, reader);
  ASSERT_TRUE(stored) << stored.status().text();
  EXPECT_EQ(*under_test_->reader().tags(id_, {}), meta.tags);
  ASSERT_TRUE(store().put_tags(id_, "v1", {{"other", "1"}}));
  EXPECT_EQ(*under_test_->reader().tags(id_, {}), (Tags{{"other", "1"}}));
  EXPECT_EQ(store().put_tags(id_, "v7", {}).code(), Code::kNotFound);
}

TEST_P(FullS3Contract, AnObjectInPartsIsReadByParts) {
  auto source = reader("c");
  ASSERT_TRUE(store().put(id_, source));
  auto part = (*under_test_->reader().open(id_, {}))->open_part({3, 0, 0});
  ASSERT_TRUE(part) << part.status().text();
  EXPECT_EQ((*part)->meta().size, 1u);
}

StoreImplementation s3_by(std::string name, const char* variable, S3Powers powers) {
  return {std::move(name), [variable, powers](std::string& why_not) -> std::unique_ptr<StoreUnderTest> {
            const char* url = std::getenv(variable);
            if (url != nullptr) return make_s3_store(url, powers);
            why_not = std::string(variable) + "=http://access:secret@host:port is not set: this server was not checked";
            return nullptr;
          }};
}

const auto kFilesystem = ::testing::Values(StoreImplementation{"filesystem", [](std::string&) { return make_filesystem_store(); }});
std::vector<StoreImplementation> full_servers() {
  return {s3_by("minio", "FERMATA_TEST_MINIO", {.empty_parts = false}), s3_by("versitygw", "FERMATA_TEST_VERSITYGW", {})};
}

/// With Swift, which stands in where the others cannot be had: it knows no tags and no reading by parts, text in user metadata is
/// ASCII, and the newest version does not go alone.
std::vector<StoreImplementation> all_servers() {
  auto servers = full_servers();
  if (std::getenv("FERMATA_TEST_SWIFT") != nullptr) servers.push_back(s3_by("swift", "FERMATA_TEST_SWIFT", {.chunked = false}));
  return servers;
}

const auto kFullS3 = ::testing::ValuesIn(full_servers());
const auto kS3 = ::testing::ValuesIn(all_servers());
const auto name_of = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Files, ObjectStoreContract, kFilesystem, name_of);
INSTANTIATE_TEST_SUITE_P(Files, FullStoreContract, kFilesystem, name_of);
INSTANTIATE_TEST_SUITE_P(Servers, ObjectStoreContract, kS3, name_of);
INSTANTIATE_TEST_SUITE_P(Servers, S3StoreContract, kS3, name_of);
INSTANTIATE_TEST_SUITE_P(Servers, MultipartContract, kS3, name_of);
INSTANTIATE_TEST_SUITE_P(Servers, FullS3Contract, kFullS3, name_of);
INSTANTIATE_TEST_SUITE_P(Servers, FullStoreContract, kFullS3, name_of);

}  // namespace
}  // namespace fermata::crr::testing
