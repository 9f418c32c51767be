#include "metadata_store.hpp"
#include "version_id.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

namespace fermata::ingestion::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Applied = MetadataStore::Applied;
using Kind = StoredChange::Kind;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "fermata-ingestion-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// "98...<number>": a greater number is a newer version.
std::string version(int number) { return "982046808" + std::to_string(100'000 - number) + "999999RG001  "; }

StoredChange change(Kind kind, std::string key, std::string version_of_key, std::int64_t sequence, std::string metadata = "{}") {
  StoredChange out;
  out.kind = kind;
  out.bucket = "b";
  out.key = std::move(key);
  out.version = out.version_id = std::move(version_of_key);
  out.metadata = std::move(metadata);
  out.origin = {1, sequence};
  return out;
}
StoredChange put(int number, std::int64_t sequence, std::string metadata = "{}", bool is_null = false) {
  auto out = change(Kind::kObject, "k", number == 0 ? "" : version(number), sequence, std::move(metadata));
  out.is_null = is_null;
  return out;
}
/// The null version under the plain key, in a bucket whose versioning is suspended.
StoredChange put_null(int number, std::int64_t sequence, std::string metadata = "{}") {
  auto out = put(number, sequence, std::move(metadata), true);
  out.version.clear();
  return out;
}
StoredChange removal(int number, std::int64_t sequence) {
  return change(Kind::kRemoval, "k", number == 0 ? "" : version(number), sequence, "");
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { open(); }
  void open() {
    auto opened = MetadataStore::open({folder_.file("m.db")});
    ASSERT_TRUE(opened.is_ok()) << opened.status().text();
    store_.emplace(std::move(*opened));
    auto reader = MetadataReader::open(folder_.file("m.db"));
    ASSERT_TRUE(reader.is_ok()) << reader.status().text();
    reader_.emplace(std::move(*reader));
  }
  Applied apply(const StoredChange& change) {
    const auto applied = store_->apply(change, 1'000);
    EXPECT_TRUE(applied.is_ok()) << applied.status().text();
    return applied ? *applied : Applied::kStale;
  }
  /// The metadata of the newest version; "-" if there is none.
  std::string master() {
    const auto found = reader_->get("b", "k", std::nullopt);
    EXPECT_TRUE(found.is_ok()) << found.status().text();
    return *found ? (*found)->metadata : "-";
  }
  /// What stands there, apart from removed rows.
  std::vector<std::string> rows() {
    std::vector<std::string> out;
    const auto versions = reader_->versions("b", "k", 100);
    for (const auto& one : *versions) out.push_back(one.version_id + (one.is_null ? " null" : ""));
    return out;
  }

  Folder folder_;
  std::optional<MetadataStore> store_;
  std::optional<MetadataReader> reader_;
};

TEST_F(StoreTest, TheNewestVersionIsTheMasterInWhateverOrderTheyCome) {
  EXPECT_EQ(apply(put(2, 2, "two")), Applied::kWritten);
  EXPECT_EQ(apply(put(1, 1, "one")), Applied::kWritten);
  EXPECT_EQ(master(), "two");
  EXPECT_EQ(apply(removal(2, 3)), Applied::kWritten);
  EXPECT_EQ(master(), "one");
  EXPECT_EQ(apply(removal(1, 4)), Applied::kWritten);
  EXPECT_EQ(master(), "-");
}

TEST_F(StoreTest, TheSameAgainChangesNothing) {
  EXPECT_EQ(apply(put(1, 1, "one")), Applied::kWritten);
  EXPECT_EQ(apply(put(1, 1, "one")), Applied::kSame);
  EXPECT_EQ(apply(put(1, 5, "one")), Applied::kSame);
  EXPECT_EQ(apply(put(1, 4, "older")), Applied::kStale);
  EXPECT_EQ(apply(put(1, 6, "tags")), Applied::kWritten);
  EXPECT_EQ(apply(removal(1, 7)), Applied::kWritten);
  EXPECT_EQ(apply(removal(1, 7)), Applied::kSame);
  EXPECT_EQ(apply(put(1, 6, "tags")), Applied::kStale);
  EXPECT_EQ(master(), "-");
}

TEST_F(StoreTest, AnUnversionedObjectIsReplacedAndRemoved) {
  EXPECT_EQ(apply(put(0, 1, "one")), Applied::kWritten);
  EXPECT_EQ(apply(put(0, 2, "two")), Applied::kWritten);
  EXPECT_EQ(master(), "two");
  EXPECT_EQ(apply(removal(0, 3)), Applied::kWritten);
  EXPECT_EQ(master(), "-");
}

TEST_F(StoreTest, RecordsWithoutAnOriginAreTakenAsTheyCome) {
  auto unknown = put(1, 0, "one");
  unknown.origin = {};
  EXPECT_EQ(apply(put(1, 5, "five")), Applied::kWritten);
  EXPECT_EQ(apply(unknown), Applied::kWritten);
  EXPECT_EQ(master(), "one");
}

TEST_F(StoreTest, ADeleteMarkerHidesTheObject) {
  apply(put(1, 1, "one"));
  apply(change(Kind::kDeleteMarker, "k", version(2), 2, "marker"));
  EXPECT_TRUE(reader_->list("b", "", "", 10, 100)->objects.empty());
  EXPECT_EQ(rows().size(), 2u);
  apply(removal(2, 3));
  EXPECT_EQ(reader_->list("b", "", "", 10, 100)->objects.size(), 1u);
}

// A bucket's life: unversioned, then versioned, then suspended, with deletions; every order of arrival of changes of different
// metadata keys ends the same.
TEST_F(StoreTest, EveryInterleavingOfMetadataKeysEndsTheSame) {
  const std::vector<std::vector<StoredChange>> lanes = {
      {put(0, 1, "plain"), put_null(3, 5, "null-3"), put_null(6, 9, "null-6")},           // the plain key
      {put(2, 3, "two"), removal(2, 8)},                                                  // a version
      {put(3, 7, "null-3", true), removal(3, 9)},                                         // the null version, moved to its own key
      {change(Kind::kObject, "k", std::string(kOldestVersion) + "RG001  ", 2, "plain")},  // what was there before versioning
      {put(4, 6, "four")},
  };
  const auto order_of = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<std::size_t> next(lanes.size(), 0);
    std::vector<StoredChange> out;
    for (;;) {
      std::vector<std::size_t> open;
      for (std::size_t lane = 0; lane < lanes.size(); ++lane)
        if (next[lane] < lanes[lane].size()) open.push_back(lane);
      if (open.empty()) return out;
      const auto lane = open[random() % open.size()];
      out.push_back(lanes[lane][next[lane]++]);
    }
  };
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    for (auto one : order_of(seed)) {
      if (one.version.starts_with(kOldestVersion)) one.is_null = true;
      one.key = "k" + std::to_string(seed);
      apply(one);
    }
    const auto found = *reader_->versions("b", "k" + std::to_string(seed), 100);
    std::vector<std::string> shown;
    for (const auto& one : found) shown.push_back(one.version_id + (one.version.empty() ? " plain" : ""));
    EXPECT_THAT(shown, ElementsAre(version(6) + " plain", version(4), std::string(kOldestVersion) + "RG001  ")) << "seed " << seed;
  }
}

TEST_F(StoreTest, ListsInPages) {
  for (int i = 0; i < 25; ++i) apply(change(Kind::kObject, (i < 10 ? "a/" : "b/") + std::to_string(100 + i), version(i), i + 1));
  std::string after;
  std::vector<std::string> keys;
  do {
    const auto page = reader_->list("b", "b/", after, 4, 100);
    ASSERT_TRUE(page.is_ok());
    for (const auto& object : page->objects) keys.push_back(object.key);
    after = page->last;
  } while (!after.empty());
  EXPECT_EQ(keys.size(), 15u);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_EQ(reader_->list("b", "", "", 100, 3)->objects.size(), 3u);
  EXPECT_THAT(reader_->list("b", "c", "", 100, 100)->objects, IsEmpty());
}

TEST_F(StoreTest, FindsAVersionByWhatClientsCallIt) {
  apply(put(1, 1, "one"));
  apply(put(2, 2, "two"));
  apply(put_null(3, 3, "null"));
  EXPECT_EQ((*reader_->get("b", "k", encode_version_id(version(1))))->metadata, "one");
  EXPECT_EQ((*reader_->get("b", "k", "null"))->metadata, "null");
  EXPECT_FALSE(reader_->get("b", "k", "other")->has_value());
}

TEST_F(StoreTest, ForgetsRemovalsInTime) {
  apply(put(1, 1));
  apply(removal(1, 2));
  EXPECT_EQ(*store_->forget(1'000, 10), 0);
  EXPECT_EQ(*store_->forget(1'001, 10), 1);
  EXPECT_EQ(apply(put(1, 1)), Applied::kWritten);
}

TEST_F(StoreTest, BelongsToOneDaemon) {
  const auto second = MetadataStore::open({folder_.file("m.db")});
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr("in use by another daemon"));
  EXPECT_EQ(MetadataStore::open({folder_.file("none/m.db")}).status().code(), Code::kUnavailable);
}

TEST_F(StoreTest, KeepsItsContentAndItsId) {
  apply(put(1, 1, "one"));
  const std::string id = store_->id();
  EXPECT_EQ(id.size(), 32u);
  store_.reset();
  open();
  EXPECT_EQ(store_->id(), id);
  EXPECT_EQ(master(), "one");
}

TEST_F(StoreTest, ARolledBackChangeIsGone) {
  ASSERT_TRUE(store_->begin().is_ok());
  apply(put(1, 1, "one"));
  store_->rollback();
  EXPECT_EQ(master(), "-");
}

}  // namespace
}  // namespace fermata::ingestion::testing
