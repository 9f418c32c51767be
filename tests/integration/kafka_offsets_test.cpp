// Commits, acknowledgements, and what the writes before them have to do with both.

#include "integration/kafka_fixture.hpp"

#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

/// Writes to a bulk store that are durable when the test says so.
class HeldWrites {
 public:
  void wait(std::function<void()> done) {
    {
      const std::lock_guard lock(mutex_);
      if (held_) return waiting_.push_back(std::move(done));
    }
    done();
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void release() {
    std::vector<std::function<void()>> waiting;
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
      waiting.swap(waiting_);
    }
    for (const auto& done : waiting) done();
  }

 private:
  std::mutex mutex_;
  bool held_ = false;
  std::vector<std::function<void()>> waiting_;
};

class KafkaOffsets : public KafkaTest {
 protected:
  kafka::Backend::Options held_options(const std::string& node_id) {
    auto held = options(node_id);
    held.after_writes = [this](std::function<void()> done) { writes_.wait(std::move(done)); };
    return held;
  }
  HeldWrites writes_;
};

TEST_F(KafkaOffsets, WaitForTheWritesBeforeThem) {
  auto backend = open(held_options("a"));
  produce(backend->queue(), "t", 20);
  KafkaReader reader(backend->queue(), "t", "g");
  reader.consumer().set_gate(true);
  const auto records = reader.read(20);
  ASSERT_TRUE(eventually([&] { return reader.consumer().lag() == 20; }));
  writes_.hold();
  reader.commit(records);
  ASSERT_TRUE(eventually([&] { return writes_.waiting() == 1; }));
  for (const auto end = steady_clock::now() + 1s; steady_clock::now() < end; std::this_thread::sleep_for(10ms))
    ASSERT_EQ(reader.consumer().lag(), 20);
  writes_.release();
  EXPECT_TRUE(eventually([&] { return reader.consumer().lag() == 0; }));
}

TEST_F(KafkaOffsets, AcknowledgementsWaitForTheWritesBeforeThem) {
  auto backend = open(held_options("a"));
  ASSERT_TRUE(backend->queue().ensure_topic("t", 1));
  writes_.hold();
  Calls<Status> produced;
  ASSERT_TRUE(backend->queue().produce({{"t", "k", "v"}}, [&](Status status) { produced.add(std::move(status)); }));
  KafkaReader reader(backend->queue(), "t", "g");
  reader.consumer().set_gate(true);
  reader.read(1);  // the broker has it
  EXPECT_EQ(produced.count(), 0u);
  writes_.release();
  ASSERT_TRUE(produced.reach(1));
  EXPECT_TRUE(produced.all().front());
}

TEST_F(KafkaOffsets, HoldUpARebalanceForNoMoreThanSomeSeconds) {
  auto one = open(held_options("a"));
  auto two = open("b");
  ASSERT_TRUE(one->queue().ensure_topic("t", 2));
  produce(one->queue(), "t", 20);
  KafkaReader a(one->queue(), "t", "g");
  a.consumer().set_gate(true);
  const auto records = a.read(20);
  writes_.hold();
  a.commit(records);
  KafkaReader b(two->queue(), "t", "g");
  b.consumer().set_gate(true);
  const auto start = steady_clock::now();
  ASSERT_TRUE(eventually([&] { return b.owned().size() == 1; }));
  EXPECT_LT(steady_clock::now() - start, 30s);
  EXPECT_TRUE(eventually([&] { return !b.poll().empty(); }));  // what could not be committed comes again
  writes_.release();
}

TEST_F(KafkaOffsets, ThatWereCommittedAtTheEndAreWhereTheNextOneBegins) {
  auto settings = options("a");
  settings.commit_interval = 1h;
  auto backend = open(settings);
  ASSERT_TRUE(backend->queue().ensure_topic("t", 1));
  produce(backend->queue(), "t", 20);
  auto reader = std::make_unique<KafkaReader>(backend->queue(), "t", "g");
  reader->consumer().set_gate(true);
  auto records = reader->read(20);
  records.resize(7);
  reader->commit(records);
  reader.reset();
  reader = std::make_unique<KafkaReader>(backend->queue(), "t", "g");
  reader->consumer().set_gate(true);
  EXPECT_EQ(reader->read(13).front().value, "7");
}

/// Removes all before `offset`, as retention does.
void delete_records(const std::string& broker, const std::string& topic, std::int64_t offset) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", broker.c_str(), error.data(), error.size());
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  ASSERT_NE(client, nullptr) << error.data();
  rd_kafka_topic_partition_list_t* before = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(before, topic.c_str(), 0)->offset = offset;
  rd_kafka_DeleteRecords_t* wanted = rd_kafka_DeleteRecords_new(before);
  rd_kafka_queue_t* answers = rd_kafka_queue_new(client);
  rd_kafka_DeleteRecords(client, &wanted, 1, nullptr, answers);
  rd_kafka_event_t* event = rd_kafka_queue_poll(answers, 10'000);
  EXPECT_NE(event, nullptr);
  EXPECT_EQ(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(answers);
  rd_kafka_DeleteRecords_destroy(wanted);
  rd_kafka_topic_partition_list_destroy(before);
  rd_kafka_destroy(client);
}

TEST_F(KafkaOffsets, OfRecordsThatAreGoneAreToldAndTheFirstThatIsThereComesNext) {
  const std::string file = ::testing::TempDir() + prefix_ + "log";
  telemetry::Log log({.level = telemetry::Level::kInfo, .json = false, .file = file});
  auto backend = kafka::Backend::open(options("a"), clock_, log);
  ASSERT_TRUE(backend) << backend.status().text();
  Queue& queue = (*backend)->queue();
  ASSERT_TRUE(queue.ensure_topic("t", 1));
  produce(queue, "t", 100);
  auto reader = std::make_unique<KafkaReader>(queue, "t", "g");
  reader->consumer().set_gate(true);
  auto records = reader->read(100);
  records.resize(10);
  reader->commit(records);
  ASSERT_TRUE(eventually([&] { return reader->consumer().lag() == 90; }));
  reader.reset();
  delete_records(server(), prefix_ + "t", 50);
  reader = std::make_unique<KafkaReader>(queue, "t", "g");
  reader->consumer().set_gate(true);
  EXPECT_EQ(reader->read(50).front().offset, 50);
  const auto told = [&] {
    reader->consumer().lag();
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return text.find("records were removed") != std::string::npos && text.find("records=40") != std::string::npos;
  };
  EXPECT_TRUE(eventually(told));
  std::remove(file.c_str());
}

}  // namespace
}  // namespace fermata::testing
