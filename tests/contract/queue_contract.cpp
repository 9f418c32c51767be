#include "contract/contract.hpp"
#include "contract/eventually.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fermata::testing {
namespace {

constexpr std::size_t kManyBytes = 1u << 30;

/// A consumer that polls when its bell rings, as a pipeline does.
class Reader {
 public:
  Reader(Queue& queue, const std::string& topic, const std::string& group) {
    auto made = queue.consume(topic, group,
                              {.on_ready = [this] { bells_.add(1); },
                               .on_assigned =
                                   [this](std::span<const std::int32_t> partitions) {
                                     for (const auto partition : partitions) assigned_.add(partition);
                                   },
                               .on_revoked =
                                   [this](std::span<const std::int32_t> partitions) {
                                     for (const auto partition : partitions) revoked_.add(partition);
                                   }});
    EXPECT_TRUE(made) << made.status().text();
    if (made) consumer_ = std::move(*made);
  }

  Consumer& consumer() { return *consumer_; }
  const Calls<int>& bells() const { return bells_; }
  const Calls<std::int32_t>& assigned() const { return assigned_; }
  const Calls<std::int32_t>& revoked() const { return revoked_; }

  /// Polls, waiting for the bell after each empty poll, until `count` records are there.
  std::vector<QueueRecord> read(std::size_t count, std::size_t max_records = 1'000, std::size_t max_bytes = kManyBytes) {
    std::vector<QueueRecord> all;
    while (all.size() < count) {
      const std::size_t rung = bells_.count();
      auto some = consumer_->poll(std::min(max_records, count - all.size()), max_bytes);
      EXPECT_TRUE(some) << some.status().text();
      if (!some) break;
      if (some->empty() && !bells_.reach(rung + 1)) {
        ADD_FAILURE() << "no bell after " << all.size() << " of " << count << " records";
        break;
      }
      for (auto& record : *some) all.push_back(std::move(record));
    }
    return all;
  }

  void commit(const std::vector<QueueRecord>& done) {
    std::map<std::int32_t, std::int64_t> next;
    for (const auto& record : done) next[record.partition] = record.offset + 1;
    std::vector<PartitionOffset> offsets;
    for (const auto& [partition, offset] : next) offsets.push_back({partition, offset});
    consumer_->commit(offsets);
  }

 private:
  Calls<int> bells_;
  Calls<std::int32_t> assigned_;
  Calls<std::int32_t> revoked_;
  std::unique_ptr<Consumer> consumer_;
};

std::unique_ptr<Reader> open_reader(Queue& queue, const std::string& topic, const std::string& group) {
  auto reader = std::make_unique<Reader>(queue, topic, group);
  reader->consumer().set_gate(true);
  return reader;
}

Status produce(Queue& queue, std::vector<NewRecord> records) {
  Calls<Status> produced;
  auto taken = queue.produce(std::move(records), [&](Status status) { produced.add(std::move(status)); });
  if (!taken) return taken;
  if (!produced.reach(1)) return {Code::kDeadlineExceeded, "not acknowledged"};
  return produced.all().front();
}

/// "k0".."k9" in turn, values "0", "1", ...
std::vector<NewRecord> numbered(const std::string& topic, int count, int from = 0) {
  std::vector<NewRecord> records;
  for (int i = from; i < from + count; ++i) records.push_back({topic, "k" + std::to_string(i % 10), std::to_string(i)});
  return records;
}

std::multiset<std::string> values(const std::vector<QueueRecord>& records) {
  std::multiset<std::string> all;
  for (const auto& record : records) all.insert(record.value);
  return all;
}

std::multiset<std::string> values(const std::vector<NewRecord>& records) {
  std::multiset<std::string> all;
  for (const auto& record : records) all.insert(record.value);
  return all;
}

TEST_P(QueueContract, RecordsOfOneKeyArriveInOrderInOnePartition) {
  ASSERT_TRUE(port().ensure_topic("t", 4));
  for (int batch = 0; batch < 5; ++batch) ASSERT_TRUE(produce(port(), numbered("t", 100, batch * 100)));
  auto reader = open_reader(port(), "t", "g");
  std::map<std::string, std::pair<std::int32_t, int>> last;
  std::map<std::int32_t, std::int64_t> offsets;
  const auto records = reader->read(500);
  ASSERT_EQ(records.size(), 500u);
  for (const auto& record : records) {
    const int number = std::stoi(record.value);
    if (const auto [entry, first] = last.try_emplace(record.key, record.partition, number); !first) {
      EXPECT_EQ(entry->second.first, record.partition);
      EXPECT_LT(entry->second.second, number);
      entry->second.second = number;
    }
    if (const auto [entry, first] = offsets.try_emplace(record.partition, record.offset); !first) {
      EXPECT_GT(record.offset, std::exchange(entry->second, record.offset));
    }
  }
  EXPECT_EQ(last.size(), 10u);
}

TEST_P(QueueContract, TakesAnyBytesAndEmptyKeys) {
  const std::string binary("\0\xff\n", 3);
  ASSERT_TRUE(produce(port(), {{"t", binary, binary + binary}, {"t", "", "no key"}, {"t", "no value", ""}}));
  const auto records = open_reader(port(), "t", "g")->read(3);
  std::map<std::string, std::string> found;
  for (const auto& record : records) found[record.key] = record.value;
  EXPECT_EQ(found, (std::map<std::string, std::string>{{binary, binary + binary}, {"", "no key"}, {"no value", ""}}));
}

TEST_P(QueueContract, AClosedGateHoldsAndOpeningRings) {
  ASSERT_TRUE(produce(port(), numbered("t", 3)));
  Reader reader(port(), "t", "g");
  EXPECT_TRUE(reader.consumer().poll(10, kManyBytes)->empty());
  reader.consumer().set_gate(true);
  ASSERT_TRUE(reader.bells().reach(1));
  EXPECT_EQ(reader.read(3).size(), 3u);
  reader.consumer().set_gate(false);
  ASSERT_TRUE(produce(port(), numbered("t", 3, 3)));
  EXPECT_TRUE(reader.consumer().poll(10, kManyBytes)->empty());
  reader.consumer().set_gate(true);
  EXPECT_EQ(values(reader.read(3)), (std::multiset<std::string>{"3", "4", "5"}));
}

// "Once" is for each empty poll, and a bell may ring in vain: so they are bounded here, and read() waits for each.
TEST_P(QueueContract, TheBellRingsOnceForWhatComesAfterAnEmptyPoll) {
  auto reader = open_reader(port(), "t", "g");
  ASSERT_TRUE(reader->bells().reach(1));
  ASSERT_TRUE(reader->consumer().poll(10, kManyBytes)->empty());
  ASSERT_TRUE(reader->assigned().reach(1));
  ASSERT_TRUE(reader->consumer().poll(10, kManyBytes)->empty());
  constexpr std::size_t kOpeningAndPolls = 1 + 2;
  ASSERT_TRUE(produce(port(), numbered("t", 5)));
  ASSERT_TRUE(reader->bells().reach(2));
  for (int batch = 1; batch < 10; ++batch) ASSERT_TRUE(produce(port(), numbered("t", 5, batch * 5)));
  EXPECT_LE(reader->bells().count(), kOpeningAndPolls);
  EXPECT_EQ(reader->read(50).size(), 50u);
}

TEST_P(QueueContract, PollKeepsToItsBoundsButTakesOneRecordAlways) {
  ASSERT_TRUE(port().ensure_topic("t", 1));
  std::vector<NewRecord> records;
  for (int i = 0; i < 10; ++i) records.push_back({"t", "key", std::string(97, 'x')});
  ASSERT_TRUE(produce(port(), records));
  auto reader = open_reader(port(), "t", "g");
  EXPECT_EQ(reader->read(1).size(), 1u);
  EXPECT_EQ(reader->consumer().poll(3, kManyBytes)->size(), 3u);
  EXPECT_EQ(reader->consumer().poll(100, 250)->size(), 2u);
  EXPECT_EQ(reader->consumer().poll(100, 200)->size(), 2u);
  EXPECT_EQ(reader->consumer().poll(100, 1)->size(), 1u);
  EXPECT_EQ(reader->consumer().poll(100, kManyBytes)->size(), 1u);
}

TEST_P(QueueContract, AllPartitionsAreAssigned) {
  ASSERT_TRUE(port().ensure_topic("t", 3));
  ASSERT_TRUE(produce(port(), numbered("t", 30)));
  auto reader = open_reader(port(), "t", "g");
  reader->read(30);
  const auto assigned = reader->assigned().all();
  EXPECT_EQ(std::set<std::int32_t>(assigned.begin(), assigned.end()), (std::set<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(assigned.size() - reader->revoked().count(), 3u);  // a member that cannot learn its offsets in time joins anew
}

TEST_P(QueueContract, GroupsReadAllIndependentlyFromTheFirstRecord) {
  ASSERT_TRUE(produce(port(), numbered("t", 20)));
  auto one = open_reader(port(), "t", "one");
  auto two = open_reader(port(), "t", "two");
  const auto expected = values(numbered("t", 20));
  EXPECT_EQ(values(one->read(20)), expected);
  EXPECT_EQ(values(two->read(20)), expected);
}

TEST_P(QueueContract, ReadsOnAfterTheLastCommit) {
  ASSERT_TRUE(port().ensure_topic("t", 1));
  ASSERT_TRUE(produce(port(), numbered("t", 20)));
  auto reader = open_reader(port(), "t", "g");
  reader->commit(reader->read(5));
  // A reader that ends gives its commits a few seconds only, so they are waited for.
  ASSERT_TRUE(eventually([&] { return reader->consumer().lag() == 15; }));
  reader->read(5);
  reader.reset();
  reader = open_reader(port(), "t", "g");
  EXPECT_EQ(reader->read(1).front().value, "5");
  reader->commit(reader->read(2));
  ASSERT_TRUE(eventually([&] { return reader->consumer().lag() == 12; }));
  reader.reset();
  restart();
  reader = open_reader(port(), "t", "g");
  EXPECT_EQ(reader->read(1).front().value, "8");
}

TEST_P(QueueContract, RecordsAndOffsetsGoOnAfterARestart) {
  ASSERT_TRUE(port().ensure_topic("t", 1));
  ASSERT_TRUE(produce(port(), numbered("t", 10)));
  restart();
  ASSERT_TRUE(produce(port(), numbered("t", 10, 10)));
  const auto records = open_reader(port(), "t", "g")->read(20);
  ASSERT_EQ(records.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(records[i].offset, static_cast<std::int64_t>(i));
    EXPECT_EQ(records[i].value, std::to_string(i));
  }
}

TEST_P(QueueContract, LagIsWhatIsNotCommitted) {
  ASSERT_TRUE(produce(port(), numbered("t", 20)));
  auto reader = open_reader(port(), "t", "g");
  const auto records = reader->read(20);
  EXPECT_TRUE(eventually([&] { return reader->consumer().lag() == 20; }));
  reader->commit(records);
  EXPECT_TRUE(eventually([&] { return reader->consumer().lag() == 0; }));
}

TEST_P(QueueContract, TopicsAreMadeOnDemandAndListed) {
  ASSERT_TRUE(port().ensure_topic("three", 3));
  ASSERT_TRUE(port().ensure_topic("three", 5));
  ASSERT_TRUE(port().ensure_topic("default", 0));
  ASSERT_TRUE(produce(port(), {{"produced", "k", "v"}}));
  open_reader(port(), "consumed", "g");
  restart();
  std::map<std::string, std::size_t> partitions;
  const auto topics = port().topics();
  ASSERT_TRUE(topics);
  for (const auto& topic : *topics) partitions[topic.name] = topic.partitions.size();
  EXPECT_EQ(partitions.size(), 4u);
  EXPECT_EQ(partitions["three"], 3u);
  EXPECT_GE(partitions["default"], 1u);
  EXPECT_EQ(partitions["produced"], partitions["default"]);
  EXPECT_EQ(partitions["consumed"], partitions["default"]);
}

TEST_P(QueueContract, ManyProducersLoseAndReorderNothing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  Calls<Status> produced;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i)
        EXPECT_TRUE(
            port().produce({{"t", std::to_string(thread), std::to_string(i)}}, [&](Status status) { produced.add(std::move(status)); }));
    });
  }
  auto reader = open_reader(port(), "t", "g");
  const auto records = reader->read(kThreads * kEach, 100);
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(produced.reach(kThreads * kEach));
  for (const auto& status : produced.all()) EXPECT_TRUE(status) << status.text();
  std::map<std::string, int> next;
  for (const auto& record : records) EXPECT_EQ(record.value, std::to_string(next[record.key]++)) << record.key;
  EXPECT_EQ(next.size(), static_cast<std::size_t>(kThreads));
}

TEST_P(QueueContract, NothingIsCalledAfterAConsumersEnd) {
  std::atomic<bool> ended{false};
  std::atomic<bool> late{false};
  for (int i = 0; i < 100; ++i) {
    ended = false;
    auto consumer = port().consume("t", "g", {.on_ready = [&] {
                                     if (ended) late = true;
                                   }});
    ASSERT_TRUE(consumer) << consumer.status().text();
    (*consumer)->set_gate(true);
    ASSERT_TRUE((*consumer)->poll(1'000, kManyBytes));
    ASSERT_TRUE(port().produce(numbered("t", 1), {}));
    consumer->reset();
    ended = true;
  }
  EXPECT_FALSE(late);
}

TEST_P(QueueBounds, RefusesARecordThatIsTooLarge) {
  EXPECT_EQ(port().produce({{"t", "k", std::string((1u << 20) + 1, 'x')}}, {}).code(), Code::kInvalidArgument);
  EXPECT_TRUE(produce(port(), {{"t", "", std::string(1u << 20, 'x')}}));
  EXPECT_EQ(open_reader(port(), "t", "g")->read(1).front().value.size(), 1u << 20);
}

}  // namespace
}  // namespace fermata::testing
