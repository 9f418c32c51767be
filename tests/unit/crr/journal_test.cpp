#include "unit/crr/directory_fixture.hpp"

#include "journal/filesystem_journal.hpp"
#include "journal/inotify_watcher.hpp"
#include "text/text.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <vector>

namespace fermata::crr::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// Real notifications, of which some can be lost on demand.
class FaultyWatcher final : public DirectoryWatcher {
 public:
  struct Faults {
    std::atomic<bool> deaf{false};      ///< everything is lost, and nobody is told
    std::atomic<bool> overflow{false};  ///< tells once that something was lost
    std::atomic<bool> limit{false};     ///< no directory can be watched any more
    std::atomic<std::size_t> watched{0};
  };
  FaultyWatcher(std::unique_ptr<DirectoryWatcher> real, std::shared_ptr<Faults> faults)
      : real_(std::move(real)), faults_(std::move(faults)) {}

  int fd() const override { return real_->fd(); }
  Status watch(const std::string& path) override {
    if (faults_->limit) return {Code::kResourceExhausted, "raise it with sysctl -w fs.inotify.max_user_watches=1048576"};
    ++faults_->watched;
    return real_->watch(path);
  }
  std::vector<Change> read() override {
    auto changes = real_->read();
    if (faults_->deaf) changes.clear();
    if (faults_->overflow.exchange(false)) changes.push_back({Change::Kind::kLost, ""});
    return changes;
  }

 private:
  const std::unique_ptr<DirectoryWatcher> real_;
  const std::shared_ptr<Faults> faults_;
};

class FilesystemJournalTest : public ::testing::Test {
 protected:
  FilesystemJournalTest() : host_(fake_.raw()) {
    std::filesystem::create_directories(source());
    sdk::Populator populator;
    populator.name = "journal";
    populator.topic = "backbeat-replication";
    populator.poll = [this](std::string_view checkpoint, sdk::Batch batch) { journal_->poll(std::string(checkpoint), std::move(batch)); };
    EXPECT_TRUE(host_.register_populator(std::move(populator)).is_ok());
    settings_.settle = std::chrono::milliseconds(0);
  }
  ~FilesystemJournalTest() override {
    if (journal_) journal_->stop();
  }

  std::string source(const std::string& name = {}) const { return directory_.path(name.empty() ? "source" : "source/" + name); }

  void start() {
    const auto root = std::make_shared<const SourceRoot>(source(), [this] { return !JournalIndex(host_).scan("", "", 1)->empty(); });
    const auto make_watcher = [this]() -> Result<std::unique_ptr<DirectoryWatcher>> {
      auto real = InotifyWatcher::create(source());
      if (!real) return real.status();
      return std::unique_ptr<DirectoryWatcher>(std::make_unique<FaultyWatcher>(std::move(*real), faults_));
    };
    journal_ = std::make_unique<FilesystemJournal>(host_, "journal", root, settings_, locations_, make_watcher);
    ASSERT_TRUE(journal_->start().is_ok());
  }
  void restart() {
    journal_->stop();
    start();
  }

  void restart_with(std::vector<std::string> locations) {
    locations_ = std::move(locations);
    restart();
  }
  /// The locations that the newest record names.
  std::vector<std::string> named() const { return parse_record(fake_.produced().back().value)->locations; }

  /// One poll. The result's status says whether it ended well.
  sdk::testing::BatchEnd poll() {
    const auto batch = fake_.poll("journal");
    if (!batch || !batch->wait()) return {Status(Code::kDeadlineExceeded, "the poll was not finished"), {}, {}, {}};
    return batch->result();
  }

  /// "put b/k" and "del b/k" of all records that come until `count` have come and nothing is left to read.
  std::vector<std::string> read(std::size_t count) {
    std::vector<std::string> seen;
    eventually([&] {
      const auto end = poll();
      EXPECT_TRUE(end.status.is_ok()) << end.status.text();
      for (const auto& record : end.records) {
        const auto parsed = parse_record(record.value);
        EXPECT_TRUE(parsed.is_ok()) << record.value;
        EXPECT_EQ(record.key, record_key(parsed->id));
        seen.push_back((parsed->type == ReplicationRecord::Type::kPut ? "put " : "del ") + parsed->id.path());
      }
      return !end.status.is_ok() || (seen.size() >= count && end.records.empty() && end.idle >= quiet_);
    });
    return seen;
  }

  TemporaryDirectory directory_;
  sdk::testing::FakeHost fake_;
  sdk::Host host_;
  JournalSettings settings_;
  std::vector<std::string> locations_{"paris", "london"};
  std::chrono::milliseconds quiet_{1'000};  // an idle time that means that nothing waits
  std::shared_ptr<FaultyWatcher::Faults> faults_ = std::make_shared<FaultyWatcher::Faults>();
  std::unique_ptr<FilesystemJournal> journal_;
};

TEST_F(FilesystemJournalTest, JournalsWhatIsThereAtTheStart) {
  write_file(source("b1/a"), "1");
  write_file(source("b1/deep/er/file"), "2");
  write_file(source("b2/a"), "3");
  start();
  EXPECT_THAT(read(3), UnorderedElementsAre("put b1/a", "put b1/deep/er/file", "put b2/a"));
}

TEST_F(FilesystemJournalTest, RecordNamesEveryLocationAndCarriesSizeTimeAndVersion) {
  write_file(source("b/k"), "12345");
  start();
  read(1);
  const auto value = fake_.produced().at(0).value;
  EXPECT_THAT(value, HasSubstr(R"("bucket":"b","key":"k")"));
  EXPECT_THAT(value, HasSubstr(R"(\"content-length\":5)"));
  EXPECT_THAT(value, HasSubstr(R"(\"last-modified\":\")" + text::format_iso_ns(mtime_ns(source("b/k")))));
  EXPECT_THAT(value, HasSubstr(R"(\"storageClass\":\"paris,london\")"));
  EXPECT_GT(parse_record(value)->version, 0u);
}

TEST_F(FilesystemJournalTest, SeesFilesThatAreMadeOverwrittenAndDeleted) {
  write_file(source("b/k"), "1");
  start();
  read(1);
  write_file(source("b/new"), "2");
  EXPECT_THAT(read(1), ElementsAre("put b/new"));
  write_file(source("b/k"), "22");
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
  std::filesystem::remove(source("b/k"));
  EXPECT_THAT(read(1), ElementsAre("del b/k"));
}

TEST_F(FilesystemJournalTest, AsksToBePolledWhenSomethingHappens) {
  write_file(source("b/k"), "1");
  start();
  read(1);
  const auto before = fake_.wakes("journal");
  write_file(source("b/k"), "2");
  EXPECT_TRUE(eventually([&] { return fake_.wakes("journal") > before; }));
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
}

TEST_F(FilesystemJournalTest, SeesRenamesAsADeletionAndAPut) {
  write_file(source("b/old"), "1");
  start();
  read(1);
  std::filesystem::rename(source("b/old"), source("b/new"));
  EXPECT_THAT(read(2), UnorderedElementsAre("del b/old", "put b/new"));
}

TEST_F(FilesystemJournalTest, SeesNewBucketsAndDirectoriesWithTheirContent) {
  start();
  read(0);
  write_file(source("b/x/y/z/file"), "1");
  EXPECT_THAT(read(1), ElementsAre("put b/x/y/z/file"));
  write_file(source("b/x/y/z/file2"), "1");
  EXPECT_THAT(read(1), ElementsAre("put b/x/y/z/file2"));
}

TEST_F(FilesystemJournalTest, FollowsADirectoryThatMoves) {
  write_file(source("b/from/one"), "1");
  write_file(source("b/from/sub/two"), "2");
  start();
  read(2);
  std::filesystem::rename(source("b/from"), source("b/to"));
  EXPECT_THAT(read(4), UnorderedElementsAre("del b/from/one", "del b/from/sub/two", "put b/to/one", "put b/to/sub/two"));
  write_file(source("b/to/sub/two"), "22");
  EXPECT_THAT(read(1), ElementsAre("put b/to/sub/two"));
}

TEST_F(FilesystemJournalTest, SeesADirectoryThatMovesOutOfTheSourceAndBack) {
  write_file(source("b/d/one"), "1");
  start();
  read(1);
  std::filesystem::rename(source("b/d"), directory_.path("outside"));
  EXPECT_THAT(read(1), ElementsAre("del b/d/one"));
  write_file(directory_.path("outside/one"), "unseen");
  std::filesystem::rename(directory_.path("outside"), source("b/d"));
  EXPECT_THAT(read(1), ElementsAre("put b/d/one"));
}

TEST_F(FilesystemJournalTest, SeesAWholeBucketBeingRemoved) {
  write_file(source("b/one"), "1");
  write_file(source("b/d/two"), "2");
  write_file(source("other/three"), "3");
  start();
  read(3);
  std::filesystem::remove_all(source("b"));
  EXPECT_THAT(read(2), UnorderedElementsAre("del b/one", "del b/d/two"));
}

TEST_F(FilesystemJournalTest, SeesChangedUserMetadata) {
  write_file(source("b/k"), "1");
  if (!set_attribute(source("b/k"), "user.color", "red")) GTEST_SKIP() << "no extended attributes here";
  start();
  read(1);
  set_attribute(source("b/k"), "user.color", "blue");
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
}

TEST_F(FilesystemJournalTest, SeesAFileBecomeADirectoryAndBack) {
  write_file(source("b/a"), "file");
  start();
  read(1);
  std::filesystem::remove(source("b/a"));
  write_file(source("b/a/b"), "inner");
  EXPECT_THAT(read(2), UnorderedElementsAre("del b/a", "put b/a/b"));
  std::filesystem::remove_all(source("b/a"));
  write_file(source("b/a"), "file again");
  EXPECT_THAT(read(2), UnorderedElementsAre("del b/a/b", "put b/a"));
}

TEST_F(FilesystemJournalTest, JournalsOnlyWhatChangedWhileItWasDown) {
  for (const auto* name : {"b/same", "b/changed", "b/gone", "b/deep/gone"}) write_file(source(name), "1");
  start();
  read(4);
  journal_->stop();
  write_file(source("b/changed"), "22");
  std::filesystem::remove(source("b/gone"));
  std::filesystem::remove_all(source("b/deep"));
  write_file(source("b/new"), "3");
  start();
  EXPECT_THAT(read(4), UnorderedElementsAre("put b/changed", "del b/gone", "del b/deep/gone", "put b/new"));
}

TEST_F(FilesystemJournalTest, RepeatsRecordsThatWereNotAcknowledgedBeforeACrash) {
  write_file(source("b/k"), "1");
  start();
  EXPECT_TRUE(eventually([&] { return !poll().records.empty(); }));
  // The crash: the batch's records were produced, its checkpoint was not saved.
  journal_->stop();
  fake_.set_checkpoint("journal", "");
  start();
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
}

TEST_F(FilesystemJournalTest, FindsADeletionAlsoOfAnObjectWhoseRecordWasNotAcknowledgedBeforeACrash) {
  write_file(source("b/k"), "1");
  start();
  EXPECT_TRUE(eventually([&] { return !poll().records.empty(); }));
  // The crash: the record is out, and may have reached the targets.
  journal_->stop();
  fake_.set_checkpoint("journal", "");
  std::filesystem::remove(source("b/k"));
  write_file(source("b/other"), "so that the source is not empty");
  start();
  EXPECT_THAT(read(2), UnorderedElementsAre("del b/k", "put b/other"));
}

TEST_F(FilesystemJournalTest, EmitsRecordsAgainWhenTheBatchCouldNotBeProduced) {
  write_file(source("b/k"), "1");
  start();
  std::string before;
  EXPECT_TRUE(eventually([&] {
    before = fake_.checkpoint("journal");
    return !poll().records.empty();
  }));
  fake_.set_checkpoint("journal", before);  // as the host does when producing failed: the next poll comes from the old one
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
  EXPECT_THAT(read(0), IsEmpty());
}

TEST_F(FilesystemJournalTest, TriesAgainWhenTheIndexCannotBeWritten) {
  write_file(source("b/k"), "1");
  start();
  EXPECT_TRUE(eventually([&] { return !poll().records.empty(); }));
  fake_.set_kv_status({Code::kUnavailable, "the store is full"});
  EXPECT_EQ(poll().status.code(), Code::kUnavailable);
  fake_.set_kv_status(Status::ok());
  EXPECT_THAT(read(0), IsEmpty());
  restart();
  EXPECT_THAT(read(0), IsEmpty()) << "the record was acknowledged";
}

TEST_F(FilesystemJournalTest, ScansEverythingWhenNotificationsWereLost) {
  write_file(source("b/k"), "1");
  write_file(source("b/gone"), "1");
  start();
  read(2);
  faults_->deaf = true;
  write_file(source("b/k"), "22");
  std::filesystem::remove(source("b/gone"));
  write_file(source("b/fresh/new"), "3");
  EXPECT_THAT(read(0), IsEmpty()) << "nothing tells of these changes";
  faults_->overflow = true;
  write_file(source("b/bell"), "rings");
  EXPECT_THAT(read(4), UnorderedElementsAre("put b/k", "del b/gone", "put b/fresh/new", "put b/bell"));
  EXPECT_EQ(fake_.metric("crr_journal_lost_total"), 1);
  faults_->deaf = false;
  write_file(source("b/fresh/later"), "4");
  EXPECT_THAT(read(1), ElementsAre("put b/fresh/later")) << "the new directory is watched";
}

TEST_F(FilesystemJournalTest, FallsBackToScansAtTheWatchLimitAndSaysHowToRaiseIt) {
  settings_.rescan_interval = std::chrono::milliseconds(20);
  quiet_ = std::chrono::milliseconds(1);
  faults_->limit = true;
  write_file(source("b/k"), "1");
  start();
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
  EXPECT_THAT(journal_->degraded(), HasSubstr("sysctl -w fs.inotify.max_user_watches"));
  EXPECT_GE(fake_.metric("crr_journal_watch_failures_total"), 1);
  write_file(source("b/k"), "22");
  EXPECT_THAT(read(1), ElementsAre("put b/k")) << "found by a scan";
  faults_->limit = false;
  EXPECT_TRUE(eventually([&] {
    poll();
    return journal_->degraded().empty();
  })) << "recovers by itself";
}

TEST_F(FilesystemJournalTest, WaitsUntilAFileFoundByAScanHasSettled) {
  settings_.settle = std::chrono::minutes(1);
  write_file(source("b/young"), "half");
  write_file(source("b/old"), "whole");
  set_mtime_ns(source("b/old"), 1'000'000'000'000'000'000);
  start();
  EXPECT_THAT(read(1), ElementsAre("put b/old"));
}

TEST_F(FilesystemJournalTest, DoesNotWaitForAFileThatItsWriterClosed) {
  settings_.settle = std::chrono::minutes(1);
  write_file(source("b/old"), "1");
  set_mtime_ns(source("b/old"), 1'000'000'000'000'000'000);
  start();
  read(1);
  write_file(source("b/closed"), "1");
  EXPECT_THAT(read(1), ElementsAre("put b/closed"));
}

TEST_F(FilesystemJournalTest, SkipsWhatIsNoFileAndCountsIt) {
  write_file(source("b/k"), "1");
  write_file(source("beside-the-buckets"), "1");
  write_file(source("b/.fermata-tmp-0123"), "ours");
  std::filesystem::create_symlink("/etc", source("b/link"));
  ASSERT_EQ(::mkfifo(source("b/pipe").c_str(), 0600), 0);
  write_file(source("b/not-utf8-\xff"), "1");
  start();
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
  EXPECT_EQ(fake_.metric("crr_journal_skipped_total"), 4);
  EXPECT_TRUE(fake_.logged("not-utf8-\\xFF"));
}

TEST_F(FilesystemJournalTest, DeletesAnObjectWhoseFileBecameALink) {
  write_file(source("b/k"), "1");
  start();
  read(1);
  std::filesystem::remove(source("b/k"));
  std::filesystem::create_symlink("/etc/passwd", source("b/k"));
  EXPECT_THAT(read(1), ElementsAre("del b/k"));
}

TEST_F(FilesystemJournalTest, KeepsOddNames) {
  const std::string long_name(255, 'n');
  const std::vector<std::string> names = {"b/a b", "b/100%",         "b/a+b",        "b/\xC3\xBCml\xC3\xA4ut \xE2\x82\xAC",
                                          "b/-",   "b/" + long_name, "b/line\nbreak"};
  std::set<std::string> expected;
  for (const auto& name : names) {
    write_file(source(name), "1");
    expected.insert("put " + name);
  }
  start();
  const auto seen = read(names.size());
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), expected);
  restart();
  EXPECT_THAT(read(0), IsEmpty());
}

TEST_F(FilesystemJournalTest, ReadsMoreFilesThanABatchHolds) {
  for (int i = 0; i < 2'500; ++i) write_file(source("b/" + std::to_string(i)), "");
  start();
  const auto seen = read(2'500);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 2'500u);
  EXPECT_EQ(seen.size(), 2'500u) << "repeated without need";
}

TEST_F(FilesystemJournalTest, DoesNotTakeAMissingSourceForADeletionOfEverything) {
  write_file(source("b/k"), "1");
  start();
  read(1);
  std::filesystem::rename(source(), directory_.path("unmounted"));
  const auto missing = poll();
  EXPECT_EQ(missing.status.code(), Code::kUnavailable);
  EXPECT_THAT(missing.status.message(), HasSubstr("source root " + source() + " is missing: create or mount it"));
  std::filesystem::create_directory(source());  // the bare mount point
  EXPECT_THAT(poll().status.message(), HasSubstr("another directory than before"));
  restart();
  EXPECT_THAT(poll().status.message(), HasSubstr("is empty although objects are known"));
  std::filesystem::remove(source());
  std::filesystem::rename(directory_.path("unmounted"), source());
  write_file(source("b/new"), "2");
  EXPECT_THAT(read(1), ElementsAre("put b/new"));
}

TEST_F(FilesystemJournalTest, JournalsEverythingAgainWhenALocationIsAdded) {
  write_file(source("b/a"), "1");
  write_file(source("b/k"), "1");
  start();
  EXPECT_EQ(read(2).size(), 2u);
  restart_with({"london", "paris"});
  EXPECT_THAT(read(0), IsEmpty()) << "the order of the locations means nothing";
  restart_with({"paris", "london", "rome"});
  EXPECT_THAT(read(2), UnorderedElementsAre("put b/a", "put b/k"));
  EXPECT_THAT(named(), ElementsAre("paris", "london", "rome"));
  restart();
  EXPECT_THAT(read(0), IsEmpty());
}

TEST_F(FilesystemJournalTest, ALocationThatIsPutBackMissesNeitherChangesNorDeletionsMadeMeanwhile) {
  for (const auto* name : {"b/changed", "b/gone", "b/kept"}) write_file(source(name), "1");
  start();
  EXPECT_EQ(read(3).size(), 3u);
  restart_with({"london"});
  EXPECT_EQ(read(3).size(), 3u);
  write_file(source("b/changed"), "22");
  EXPECT_THAT(read(1), ElementsAre("put b/changed"));
  std::filesystem::remove(source("b/gone"));
  EXPECT_THAT(read(1), ElementsAre("del b/gone"));
  EXPECT_THAT(named(), ElementsAre("london", "paris")) << "paris applies it when it is back";
  restart_with({"paris", "london"});
  EXPECT_THAT(read(2), UnorderedElementsAre("put b/changed", "put b/kept"));
}

TEST_F(FilesystemJournalTest, NamesLocationsOfBeforeAlsoAfterTheStoreFailedAtTheStart) {
  start();
  EXPECT_THAT(read(0), IsEmpty());
  restart_with({"london"});
  fake_.set_kv_status({Code::kUnavailable, "the store is away"});
  EXPECT_EQ(poll().status.code(), Code::kUnavailable);
  fake_.set_kv_status(Status::ok());
  write_file(source("b/k"), "1");
  EXPECT_THAT(read(1), ElementsAre("put b/k"));
  EXPECT_THAT(named(), ElementsAre("london", "paris"));
}

TEST_F(FilesystemJournalTest, FinishesAPollThatComesWhenItIsStopped) {
  start();
  journal_->stop();
  EXPECT_TRUE(poll().status.is_ok());
}

}  // namespace
}  // namespace fermata::crr::testing
