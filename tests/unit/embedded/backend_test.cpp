#include "contract/embedded_directory.hpp"
#include "contract/eventually.hpp"
#include "support/manual_executor.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace fermata::embedded {
namespace {

using ::fermata::testing::Calls;
using ::fermata::testing::EmbeddedDirectory;
using ::fermata::testing::eventually;
using ::fermata::testing::ManualExecutor;
using ::testing::HasSubstr;

constexpr std::size_t kManyBytes = 1u << 30;

void write_file(const std::string& file, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  std::ofstream(file) << text;
}

/// Runs SQL on a file. @return the first column of the last row.
std::string sql(const std::string& file, const std::string& statement) {
  sqlite3* database = nullptr;
  std::string value;
  EXPECT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  const auto keep = [](void* out, int, char** columns, char**) {
    *static_cast<std::string*>(out) = columns[0] == nullptr ? "" : columns[0];
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(database, statement.c_str(), keep, &value, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
  return value;
}

Status produce(Queue& queue, int count, const std::string& value) {
  Calls<Status> produced;
  std::vector<NewRecord> records(static_cast<std::size_t>(count), {"t", "", value});
  auto taken = queue.produce(std::move(records), [&](Status status) { produced.add(std::move(status)); });
  if (!taken) return taken;
  if (!produced.reach(1)) return {Code::kDeadlineExceeded, "not acknowledged"};
  return produced.all().front();
}

std::unique_ptr<Consumer> open_consumer(Queue& queue, const std::string& group) {
  auto consumer = *queue.consume("t", group, {.on_ready = [] {}});
  consumer->set_gate(true);
  return consumer;
}

void commit(Consumer& consumer, const std::vector<QueueRecord>& done) {
  std::map<std::int32_t, std::int64_t> next;
  for (const auto& record : done) next[record.partition] = record.offset + 1;
  for (const auto& [partition, offset] : next) {
    const PartitionOffset position{partition, offset};
    consumer.commit({&position, 1});
  }
}

/// How many records of "t" are still there, for a group that never read.
std::size_t remaining(Queue& queue) {
  static int number = 0;
  return open_consumer(queue, "fresh" + std::to_string(++number))->poll(1'000'000, kManyBytes)->size();
}

/// How many records of "t" are in the file.
std::string stored_records(const EmbeddedDirectory& directory) {
  return sql(directory.data_dir() + "/queue.db",
             "SELECT ifnull(sum(b.count), 0) FROM blocks b JOIN topics t ON b.topic = t.id WHERE t.name = 't'");
}

/// Waits until the upkeep has looked at "t": it goes by name, so it has when it has removed what is done of "u".
bool upkeep_passes(const EmbeddedDirectory& directory, Queue& queue) {
  auto consumer = *queue.consume("u", "g", {.on_ready = [] {}});
  consumer->set_gate(true);
  Calls<Status> produced;
  if (!queue.produce({{"u", "", "x"}}, [&](Status status) { produced.add(std::move(status)); }) || !produced.reach(1)) return false;
  commit(*consumer, *consumer->poll(10, kManyBytes));
  return eventually([&] {
    return sql(directory.data_dir() + "/queue.db", "SELECT count(*) FROM blocks b JOIN topics t ON b.topic = t.id WHERE t.name = 'u'") ==
           "0";
  });
}

std::string read_file(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// No file of this process may grow beyond `bytes` while this lives: a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : former_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit limit{bytes, former_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_handler_);
  }

 private:
  void (*former_handler_)(int);
  rlimit former_{};
};

TEST(EmbeddedBackend, ASecondOwnerIsToldWhoHoldsTheDirectory) {
  EmbeddedDirectory directory;
  directory.open();
  const Status second = directory.try_open();
  EXPECT_EQ(second.code(), Code::kFailedPrecondition);
  EXPECT_THAT(second.message(), HasSubstr(directory.data_dir()));
  EXPECT_THAT(second.message(), HasSubstr("process " + std::to_string(getpid()) + " on host "));
  directory.close();
  EXPECT_TRUE(directory.try_open());
}

TEST(EmbeddedBackend, NamesTheDirectoryItCannotMake) {
  EmbeddedDirectory directory;
  write_file(directory.data_dir(), "a file");
  const Status status = directory.try_open();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(directory.data_dir()));
}

TEST(EmbeddedBackend, RefusesOptionsThatCannotBe) {
  EmbeddedDirectory directory;
  directory.options().partitions = 0;
  EXPECT_EQ(directory.try_open().code(), Code::kInvalidArgument);
}

TEST(EmbeddedBackend, RefusesAFileOfANewerVersion) {
  for (const auto& [file, known] : std::map<std::string, int>{{"state.db", 1}, {"queue.db", 2}}) {
    EmbeddedDirectory directory;
    directory.open();
    directory.close();
    sql(directory.data_dir() + "/" + file, "PRAGMA user_version=7");
    const Status status = directory.try_open();
    EXPECT_EQ(status.code(), Code::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr(file));
    EXPECT_THAT(status.message(), HasSubstr("newer Fermata (format 7, this one knows up to " + std::to_string(known) + ")"));
  }
}

TEST(EmbeddedBackend, NamesAFileThatIsNoDatabase) {
  EmbeddedDirectory directory;
  write_file(directory.data_dir() + "/state.db", std::string(4'096, 'x'));
  const Status status = directory.try_open();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("state.db is damaged"));
}

TEST(EmbeddedBackend, AFullDiskIsShownAndHealsByItself) {
  EmbeddedDirectory directory;
  auto& backend = directory.open();
  const std::string megabyte(1u << 20, 'x');
  const std::string entry(400u << 10, 'x');
  ASSERT_TRUE(produce(backend.queue(), 1, "before"));
  {
    const FullDisk full(4u << 10);  // so little that what asks whether it is full finds so, too
    EXPECT_EQ(produce(backend.queue(), 1, megabyte).code(), Code::kUnavailable);
    EXPECT_FALSE(backend.queue().health().ok);
    EXPECT_THAT(backend.queue().health().reason, HasSubstr("queue.db"));
    const StateWrite write{StateWrite::Kind::kCreate, "/a/b", entry};
    EXPECT_EQ(write_one(backend.state(), write).status().code(), Code::kUnavailable);
    EXPECT_FALSE(backend.state().health().ok);
    EXPECT_THAT(backend.state().health().reason, HasSubstr("state.db"));
    EXPECT_FALSE(backend.state().get("/a")->has_value()) << "a write that failed left something behind";
    EXPECT_TRUE(backend.kv().put("s", "k", "written while the disk was full"));
  }
  EXPECT_TRUE(eventually([&] { return backend.queue().health().ok && backend.state().health().ok; }));
  EXPECT_TRUE(produce(backend.queue(), 1, "after"));
  EXPECT_TRUE(write_one(backend.state(), {StateWrite::Kind::kCreate, "/a/b", entry}));
  EXPECT_EQ(remaining(backend.queue()), 2u);
  directory.close();
  EXPECT_EQ(**directory.open().kv().get("s", "k"), "written while the disk was full");
}

TEST(EmbeddedKeyValueStore, RefusesMoreThanItsBufferHoldsWhileTheDiskIsFull) {
  EmbeddedDirectory directory;
  auto& kv = directory.open().kv();
  const std::string value(256u << 10, 'x');
  Status refused;
  {
    const FullDisk full(64u << 10);
    for (int i = 0; i < 1'000 && refused; ++i) refused = kv.put("s", std::to_string(i), value);
  }
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_TRUE(eventually([&] { return kv.put("s", "again", value).is_ok(); }));
}

TEST(EmbeddedQueue, RefusesMoreThanTheProducersBufferHolds) {
  EmbeddedDirectory directory;
  directory.options().producer_buffer_bytes = 10'000;
  auto& queue = directory.open().queue();
  Calls<int> blocked;
  Calls<int> release;
  // The first answer holds the dispatcher, so that no other batch is answered.
  ASSERT_TRUE(queue.produce({{"t", "k", "v"}}, [&](const Status&) {
    blocked.add(1);
    release.reach(1);
  }));
  ASSERT_TRUE(blocked.reach(1));
  EXPECT_TRUE(queue.produce({{"t", "k", std::string(9'000, 'x')}}, {}));
  EXPECT_EQ(queue.produce({{"t", "k", std::string(9'000, 'x')}}, {}).code(), Code::kResourceExhausted);
  release.add(1);
  EXPECT_TRUE(eventually([&] {
    return queue.produce({{"t", "k", std::string(20'000, 'x')}}, {}).is_ok();
  })) << "a batch larger than the buffer passes when it is alone";
}

TEST(EmbeddedQueue, RefusesASecondConsumerOfAGroupUntilTheFirstIsGone) {
  EmbeddedDirectory directory;
  auto& queue = directory.open().queue();
  auto first = open_consumer(queue, "g");
  const auto second = queue.consume("t", "g", {.on_ready = [] {}});
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr("group g has a consumer of topic t already"));
  first.reset();
  EXPECT_TRUE(queue.consume("t", "g", {.on_ready = [] {}}));
}

TEST(EmbeddedRetention, RemovesWhatEveryGroupHasDone) {
  EmbeddedDirectory directory;
  directory.options().partitions = 2;
  auto& queue = directory.open().queue();
  auto slow = open_consumer(queue, "slow");
  auto fast = open_consumer(queue, "fast");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(produce(queue, 10, std::string(1'000, 'x')));
  commit(*fast, *fast->poll(100, kManyBytes));
  commit(*slow, *slow->poll(50, kManyBytes));
  const std::string file = directory.data_dir() + "/queue.db";
  EXPECT_TRUE(eventually([&] { return sql(file, "SELECT sum(count) FROM blocks") == "50"; }));
  EXPECT_EQ(slow->poll(100, kManyBytes)->size(), 50u);
}

TEST(EmbeddedRetention, KeepsOffsetsWhenAPartitionIsEmptied) {
  EmbeddedDirectory directory;
  directory.options().partitions = 1;
  directory.options().commit_interval = std::chrono::milliseconds(10);
  auto consumer = open_consumer(directory.open().queue(), "g");
  ASSERT_TRUE(produce(directory.open().queue(), 10, "x"));
  commit(*consumer, *consumer->poll(10, kManyBytes));
  const std::string file = directory.data_dir() + "/queue.db";
  EXPECT_TRUE(eventually([&] { return sql(file, "SELECT count(*) FROM blocks") == "0"; }));
  consumer.reset();
  directory.close();
  auto& queue = directory.open().queue();
  ASSERT_TRUE(produce(queue, 1, "next"));
  const auto records = *open_consumer(queue, "g")->poll(10, kManyBytes);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records.front().offset, 10);
}

TEST(EmbeddedRetention, RecordsWaitForAGroupWithoutAConsumerAsLongAsTheOptionSays) {
  ManualExecutor clock;
  EmbeddedDirectory directory;
  directory.options().retention = std::chrono::hours(1);
  auto& queue = directory.open(clock).queue();
  open_consumer(queue, "gone");
  auto live = open_consumer(queue, "live");
  ASSERT_TRUE(produce(queue, 10, "x"));
  commit(*live, *live->poll(10, kManyBytes));
  clock.advance(std::chrono::minutes(59));
  ASSERT_TRUE(produce(queue, 1, "young"));
  EXPECT_EQ(stored_records(directory), "11");
  clock.advance(std::chrono::minutes(2));
  EXPECT_TRUE(eventually([&] { return stored_records(directory) == "1"; }));
}

TEST(EmbeddedRetention, ABacklogOlderThanTheOptionWaitsForItsConsumerAfterARestart) {
  ManualExecutor clock;
  EmbeddedDirectory directory;
  directory.options().retention = std::chrono::hours(7 * 24);
  auto paused = open_consumer(directory.open(clock).queue(), "paused");
  ASSERT_TRUE(produce(directory.open().queue(), 10, "x"));
  clock.advance(std::chrono::hours(8 * 24));
  paused.reset();
  directory.close();
  clock.advance(std::chrono::hours(8 * 24));  // the daemon was down as well

  auto& queue = directory.open(clock).queue();
  clock.advance(std::chrono::minutes(9));
  EXPECT_TRUE(upkeep_passes(directory, queue));
  EXPECT_EQ(open_consumer(queue, "paused")->poll(100, kManyBytes)->size(), 10u);
}

TEST(EmbeddedRetention, AGroupThatNobodyJoinsExpiresThoughTheProcessRestartsOften) {
  ManualExecutor clock;
  EmbeddedDirectory directory;
  directory.options().retention = std::chrono::hours(24);
  open_consumer(directory.open(clock).queue(), "removed");
  ASSERT_TRUE(produce(directory.open().queue(), 10, "x"));
  directory.close();
  const std::string log_file = directory.data_dir() + "/log";
  telemetry::Log log({.json = false, .file = log_file});
  for (int restart = 0; restart < 3; ++restart) {
    clock.advance(std::chrono::hours(10));
    auto backend = Backend::open(directory.options(), clock, log);
    ASSERT_TRUE(backend);
    EXPECT_TRUE(upkeep_passes(directory, (*backend)->queue()));
    EXPECT_EQ(stored_records(directory), "10");
  }
  const auto backend = Backend::open(directory.options(), clock, log);
  ASSERT_TRUE(backend);
  clock.advance(std::chrono::minutes(11));
  EXPECT_TRUE(eventually([&] { return stored_records(directory) == "0"; }));
  EXPECT_TRUE(eventually([&] { return read_file(log_file).find("topic=t group=removed records=10") != std::string::npos; }))
      << read_file(log_file);
}

TEST(EmbeddedRetention, ALiveGroupHoldsItsRecordsForever) {
  ManualExecutor clock;
  EmbeddedDirectory directory;
  directory.options().retention = std::chrono::hours(1);
  auto& queue = directory.open(clock).queue();
  auto paused = open_consumer(queue, "paused");
  ASSERT_TRUE(produce(queue, 10, "x"));
  Calls<Status> produced;
  ASSERT_TRUE(queue.produce({{"never read", "", "x"}}, [&](Status status) { produced.add(std::move(status)); }));
  ASSERT_TRUE(produced.reach(1));  // it has its time stamp: from now on the clock may move
  clock.advance(std::chrono::hours(1'000));
  const std::string file = directory.data_dir() + "/queue.db";
  // The topic that no group reads shows that the upkeep has passed.
  EXPECT_TRUE(eventually(
      [&] { return sql(file, "SELECT count(*) FROM blocks b JOIN topics t ON b.topic = t.id WHERE t.name = 'never read'") == "0"; }));
  EXPECT_EQ(paused->poll(100, kManyBytes)->size(), 10u);
}

TEST(EmbeddedQueue, TenThousandIdleConsumersOfOneTopicCostLittle) {
  EmbeddedDirectory directory;
  auto& queue = directory.open().queue();
  std::vector<std::unique_ptr<Consumer>> consumers;
  std::atomic<int> bells{0};
  for (int i = 0; i < 10'000; ++i) {
    auto consumer = queue.consume("t", "g" + std::to_string(i), {.on_ready = [&] { ++bells; }});
    ASSERT_TRUE(consumer);
    (*consumer)->set_gate(true);
    ASSERT_TRUE((*consumer)->poll(10, kManyBytes)->empty());
    consumers.push_back(std::move(*consumer));
  }
  ASSERT_TRUE(eventually([&] { return bells == 10'000; }));
  ASSERT_TRUE(produce(queue, 1, "x"));
  EXPECT_TRUE(eventually([&] { return bells == 20'000; }));
  std::size_t read = 0;
  for (auto& consumer : consumers) read += consumer->poll(10, kManyBytes)->size();
  EXPECT_EQ(read, 10'000u);
}

}  // namespace
}  // namespace fermata::embedded
