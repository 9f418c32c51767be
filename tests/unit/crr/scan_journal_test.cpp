#include "journal/scan_journal.hpp"

#include "unit/crr/directory_fixture.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

namespace fermata::crr::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

/// A store's versions: for each key, the newest first.
class FakeListing final : public VersionListing {
 public:
  using Versions = std::map<std::string, std::vector<s3::ListedVersion>>;

  explicit FakeListing(std::map<std::string, Versions>& store, Status& failure, std::size_t& pages)
      : store_(store), failure_(failure), pages_(pages) {}

  Result<std::vector<std::string>> buckets() override {
    if (!failure_) return failure_;
    std::vector<std::string> names;
    for (const auto& [name, versions] : store_) names.push_back(name);
    return names;
  }

  Result<s3::VersionPage> page(const std::string& bucket, const std::string& key_marker, const std::string& version_id_marker) override {
    constexpr std::size_t kPage = 3;
    ++pages_;
    if (!failure_) return failure_;
    if (!store_.contains(bucket)) return Status(Code::kNotFound, "NoSuchBucket");
    s3::VersionPage page;
    bool after = version_id_marker.empty();
    for (const auto& [key, versions] : store_.at(bucket)) {
      for (const auto& version : versions) {
        const bool passed = key < key_marker || (key == key_marker && (!after || version_id_marker.empty()));
        if (key == key_marker && version.version_id == version_id_marker) after = true;
        if (passed) continue;
        if (page.versions.size() == kPage) {
          page.truncated = true;
          page.next_key_marker = page.versions.back().key;
          page.next_version_id_marker = page.versions.back().version_id;
          return page;
        }
        page.versions.push_back(version);
      }
    }
    return page;
  }

 private:
  std::map<std::string, Versions>& store_;
  Status& failure_;
  std::size_t& pages_;
};

class ScanJournalTest : public ::testing::Test {
 protected:
  /// What a new process, or another node, would make of the same host.
  void make(std::chrono::milliseconds interval = 0ms, std::vector<Rule> rules = {}, const std::string& digest = "1") {
    if (journal_) journal_->stop();
    journal_.reset();
    rules_.emplace(std::move(rules), std::vector<std::string>{"paris", "london"});
    journal_.emplace(host_, *rules_, std::make_unique<FakeListing>(store_, failure_, pages_), interval, digest);
    if (!std::exchange(registered_, true)) {
      ASSERT_TRUE(host_
                      .register_populator({"scan", "backbeat-replication", "",
                                           [this](std::string_view checkpoint, sdk::Batch batch) {
                                             journal_->poll(std::string(checkpoint), std::move(batch));
                                           }})
                      .is_ok());
    }
    ASSERT_TRUE(journal_->start().is_ok());
  }
  ~ScanJournalTest() override {
    if (journal_) journal_->stop();
    EXPECT_THAT(fake_.violations(), IsEmpty());
  }

  void put(const std::string& bucket, const std::string& key, const std::string& version_id, bool delete_marker = false) {
    auto& versions = store_[bucket][key];
    versions.insert(versions.begin(), {key, version_id, true, delete_marker, 1'795'000'000'000, "etag" + version_id, 5});
  }
  sdk::testing::BatchEnd poll() {
    const auto batch = fake_.poll("scan");
    EXPECT_TRUE(batch && batch->wait(60s));
    return batch ? batch->result() : sdk::testing::BatchEnd{};
  }
  /// Polls until there is nothing to do. @return the paths of the records, and their versions.
  std::vector<std::pair<std::string, std::string>> scan() {
    std::vector<std::pair<std::string, std::string>> found;
    while (true) {
      const auto end = poll();
      EXPECT_TRUE(end.status.is_ok()) << end.status.text();
      for (const auto& message : end.records) {
        const auto record = parse_record(message.value);
        EXPECT_TRUE(record.is_ok() && record->type == ReplicationRecord::Type::kSync);
        if (!record) continue;
        found.emplace_back(record->id.path(), record->version_id);
        if (record->alone) alone_.push_back(record->id.path());
      }
      if (!end.status || end.idle > 0ms) return found;
    }
  }
  /// As if the key's newest version had been copied to every location.
  void complete(const std::string& bucket, const std::string& key, const std::string& version_id,
                ObjectState::Status status = ObjectState::Status::kCompleted) {
    for (const auto* location : {"paris", "london"}) {
      ObjectState state;
      state.status = status;
      state.version = 1;
      state.version_id = version_id;
      EXPECT_TRUE(ObjectStates(host_).put({bucket, key}, location, state).is_ok());
    }
  }

  std::map<std::string, FakeListing::Versions> store_;
  Status failure_;
  std::size_t pages_ = 0;
  std::vector<std::string> alone_;  // paths that were found with one version
  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  std::optional<Rules> rules_;
  std::optional<ScanJournal> journal_;
  bool registered_ = false;
};

using Found = std::pair<std::string, std::string>;

TEST_F(ScanJournalTest, FindsEachKeyOnceByItsNewestVersion) {
  for (int i = 0; i < 10; ++i) put("a", "many", "m" + std::to_string(i));
  for (const auto* key : {"k1", "k2", "k3", "k4"}) put("a", key, "v1");
  put("a", "k2", "v2");
  put("a", "gone", "v1");
  put("a", "gone", "v2", true);
  put("b", "k1", "w1");
  store_["empty"];
  make();
  EXPECT_THAT(scan(), ElementsAre(Found("a/gone", "v2"), Found("a/k1", "v1"), Found("a/k2", "v2"), Found("a/k3", "v1"), Found("a/k4", "v1"),
                                  Found("a/many", "m9"), Found("b/k1", "w1")));
  const auto known = JournalIndex(host_).get("a/k1");
  ASSERT_TRUE(known.is_ok() && known->has_value());
  EXPECT_EQ((*known)->size, 5u);
  EXPECT_EQ((*known)->mtime_ns, 1'795'000'000'000'000'000);
  EXPECT_EQ(fake_.metric("crr_scan_keys_total"), 7);
  EXPECT_THAT(alone_, ElementsAre("a/k4", "b/k1")) << "k1 and k3 end a page, so there may be more of them";
}

TEST_F(ScanJournalTest, ScansOnceAndNeverAgainUnlessRulesChange) {
  put("a", "k", "v1");
  make();
  EXPECT_THAT(scan(), SizeIs(1));
  EXPECT_THAT(scan(), IsEmpty());
  EXPECT_TRUE(eventually([this] { return journal_->has_finished(); }));
  const auto pages = pages_;
  fake_.advance(std::chrono::hours(100));
  make();
  EXPECT_THAT(scan(), IsEmpty());
  EXPECT_EQ(pages_, pages);
  EXPECT_TRUE(eventually([this] { return journal_->has_finished(); }));
  make(0ms, {}, "2");
  EXPECT_FALSE(journal_->has_finished());
  EXPECT_THAT(scan(), SizeIs(1));
}

TEST_F(ScanJournalTest, ScansAtItsIntervalFromBeginningToBeginning) {
  put("a", "k", "v1");
  make(1h);
  EXPECT_THAT(scan(), SizeIs(1));
  fake_.advance(30min);
  EXPECT_THAT(scan(), IsEmpty());
  make(1h);  // a restart changes nothing
  EXPECT_THAT(scan(), IsEmpty());
  fake_.advance(31min);
  EXPECT_THAT(scan(), SizeIs(1));
  fake_.clock().jump_wall(-100h);
  EXPECT_THAT(scan(), IsEmpty());
  EXPECT_LE(poll().idle, 1min);
}

TEST_F(ScanJournalTest, CostsNoRecordWhenTheNewestVersionIsThere) {
  for (const auto* key : {"done", "skipped", "failed", "behind", "unknown"}) put("a", key, "v2");
  complete("a", "done", "v2");
  complete("a", "skipped", "v2", ObjectState::Status::kSkipped);
  complete("a", "failed", "v2", ObjectState::Status::kFailed);
  complete("a", "behind", "v1");
  make();
  EXPECT_THAT(scan(), UnorderedElementsAre(Found("a/failed", "v2"), Found("a/behind", "v2"), Found("a/unknown", "v2")));
  const auto done = JournalIndex(host_).get("a/done");
  ASSERT_TRUE(done.is_ok() && done->has_value());
  EXPECT_EQ((*done)->version, 0u) << "it would look as if it waited";
}

TEST_F(ScanJournalTest, LooksAgainAtWhatItsTagsKeptBack) {
  put("a", "k", "v1");
  complete("a", "k", "v1", ObjectState::Status::kSkipped);
  make(0ms, {Rule{"a", "", {{"class", "gold"}}}});
  EXPECT_THAT(scan(), SizeIs(1));
}

TEST_F(ScanJournalTest, KnowsACopyWithoutVersionsByItsFingerprint) {
  put("a", "same", "null");
  put("a", "other", "null");
  for (const auto* key : {"same", "other"}) {
    for (const auto* location : {"paris", "london"}) {
      ObjectState state;
      state.status = ObjectState::Status::kCompleted;
      state.fingerprint = std::string(key) == "same" ? "/etagnull/1795000000000" : "/etagold/1795000000000";
      ASSERT_TRUE(ObjectStates(host_).put({"a", key}, location, state).is_ok());
    }
  }
  make();
  EXPECT_THAT(scan(), ElementsAre(Found("a/other", "null")));
}

TEST_F(ScanJournalTest, WritesTheIndexOnlyWhereItDiffers) {
  put("a", "k", "v1");
  make(1h);
  scan();
  complete("a", "k", "v1");
  const auto before = *JournalIndex(host_).get("a/k");
  fake_.advance(2h);
  EXPECT_THAT(scan(), IsEmpty());
  EXPECT_EQ((*JournalIndex(host_).get("a/k"))->version, before->version);
}

TEST_F(ScanJournalTest, ListsOnlyTheBucketsThatRulesName) {
  put("a", "x/1", "v1");
  put("a", "y/1", "v1");
  put("b", "x/1", "v1");
  make(0ms, {Rule{"a", "x/"}, Rule{"missing"}});
  EXPECT_THAT(scan(), ElementsAre(Found("a/x/1", "v1")));
  EXPECT_TRUE(fake_.logged("passes over bucket missing"));
}

TEST_F(ScanJournalTest, GoesOnWhereItWasAfterARestart) {
  constexpr int kKeys = 1'500;
  for (int i = 0; i < kKeys; ++i) put("a", "k" + std::to_string(100'000 + i), "v1");
  put("a", "k" + std::to_string(100'000 + 999), "v2");  // straddles the end of the first batch
  make();
  std::vector<std::string> keys;
  bool idle = false;
  while (!idle) {
    const auto end = poll();
    ASSERT_TRUE(end.status.is_ok());
    ASSERT_LE(end.records.size(), 1'000u);
    for (const auto& message : end.records) keys.push_back(parse_record(message.value)->id.key);
    idle = end.idle > 0ms;
    if (!idle) make();
  }
  EXPECT_THAT(keys, SizeIs(kKeys));
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

TEST_F(ScanJournalTest, FailsWithTheReasonAndGoesOnLater) {
  put("a", "k", "v1");
  make();
  failure_ = {Code::kUnavailable, "http://s3:9000: ListBuckets: refused"};
  poll();  // begins the scan
  const auto end = poll();
  EXPECT_EQ(end.status.code(), Code::kUnavailable);
  EXPECT_THAT(journal_->degraded(), HasSubstr("does not get on: http://s3:9000"));
  failure_ = Status::ok();
  EXPECT_THAT(scan(), SizeIs(1));
  EXPECT_EQ(journal_->degraded(), "");
  fake_.set_kv_status({Code::kUnavailable, "no store"});
  make(0ms, {}, "2");
  poll();
  EXPECT_EQ(poll().status.code(), Code::kUnavailable);
  fake_.set_kv_status(Status::ok());
}

TEST_F(ScanJournalTest, PassesOverKeysThatNoRecordCanHold) {
  put("a", "\xFF", "v1");
  put("a", std::string(4'000, 'k'), "v1");
  put("a", "k\xC3\xBC +%", "v1");
  make();
  EXPECT_THAT(scan(), ElementsAre(Found("a/k\xC3\xBC +%", "v1")));
}

TEST_F(ScanJournalTest, TakesACheckpointThatItCannotReadForNone) {
  put("a", "k", "v1");
  make();
  fake_.set_checkpoint("scan", "nonsense");
  EXPECT_THAT(scan(), SizeIs(1));
}

TEST_F(ScanJournalTest, AnswersAPollAlsoWhenItIsStopped) {
  put("a", "k", "v1");
  make();
  journal_->stop();
  fake_.set_checkpoint("scan", "kept");
  const auto end = poll();
  EXPECT_TRUE(end.status.is_ok());
  EXPECT_EQ(end.next_checkpoint, "kept");
  journal_->stop();
}

TEST(ScanDigest, ChangesWithRulesLocationsAndSource) {
  Settings settings;
  settings.source.s3.endpoint = "http://s3:9000";
  settings.locations.push_back({.name = "paris"});
  settings.locations.push_back({.name = "london"});
  const auto before = scan_digest(settings);
  auto other = settings;
  std::swap(other.locations[0], other.locations[1]);
  EXPECT_EQ(scan_digest(other), before);
  other.locations.pop_back();
  EXPECT_NE(scan_digest(other), before);
  other = settings;
  other.rules.push_back({.prefix = "x"});
  EXPECT_NE(scan_digest(other), before);
  other = settings;
  other.source.s3.endpoint = "http://s3:9001";
  EXPECT_NE(scan_digest(other), before);
}

}  // namespace
}  // namespace fermata::crr::testing
