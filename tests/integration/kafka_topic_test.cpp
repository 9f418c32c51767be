// Topics that change under those who read them.

#include "integration/kafka_fixture.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>

namespace fermata::testing {
namespace {

class KafkaTopics : public KafkaTest {
 protected:
  /// Lets `ask` ask something of the brokers, as an operator's tool does, and waits for the answer.
  void administer(const std::function<void(rd_kafka_t* client, rd_kafka_queue_t* answers)>& ask) {
    std::array<char, 512> error{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", server(), error.data(), error.size());
    rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    ASSERT_NE(client, nullptr) << error.data();
    rd_kafka_queue_t* answers = rd_kafka_queue_new(client);
    ask(client, answers);
    rd_kafka_event_t* event = rd_kafka_queue_poll(answers, 10'000);
    EXPECT_NE(event, nullptr);
    EXPECT_EQ(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(answers);
    rd_kafka_destroy(client);
  }
  void delete_topic(const std::string& topic) {
    administer([&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
      rd_kafka_DeleteTopic_t* wanted = rd_kafka_DeleteTopic_new((prefix_ + topic).c_str());
      rd_kafka_DeleteTopics(client, &wanted, 1, nullptr, answers);
      rd_kafka_DeleteTopic_destroy(wanted);
    });
  }
  void add_partitions(const std::string& topic, std::size_t total) {
    administer([&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
      std::array<char, 512> error{};
      rd_kafka_NewPartitions_t* wanted = rd_kafka_NewPartitions_new((prefix_ + topic).c_str(), total, error.data(), error.size());
      rd_kafka_CreatePartitions(client, &wanted, 1, nullptr, answers);
      rd_kafka_NewPartitions_destroy(wanted);
    });
  }
  /// Tries until the brokers acknowledge it, as a populator does.
  static void produce_one(Queue& queue, const std::string& topic, const std::string& value) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (bool done = false; !done && std::chrono::steady_clock::now() < deadline;) {
      const auto produced = std::make_shared<Calls<Status>>();  // may be answered after we have given up
      if (!queue.produce({{topic, "key", value}}, [produced](Status status) { produced->add(std::move(status)); })) continue;
      done = produced->reach(1) && produced->all().front().is_ok();
    }
  }
  /// librdkafka believes for a while that a topic which is gone will show.
  static QueueRecord read_one(KafkaReader& reader) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline)
      for (auto& record : reader.poll()) return std::move(record);
    return {};
  }

  static constexpr std::chrono::seconds kPatience{90};
};

TEST_F(KafkaTopics, OneThatIsMadeAnewIsReadFromItsBeginning) {
  auto backend = open("a");
  Queue& queue = backend->queue();
  ASSERT_TRUE(queue.ensure_topic("t", 2));
  produce(queue, "t", 40);
  KafkaReader reader(queue, "t", "g");
  reader.consumer().set_gate(true);
  reader.commit(reader.read(40));
  EXPECT_TRUE(eventually([&] { return reader.consumer().lag() == 0; }));
  delete_topic("t");
  // Else the record may still be taken by the log that is on its way out.
  ASSERT_TRUE(eventually([&] {
    const auto all = queue.topics();
    return all && std::ranges::none_of(*all, [](const TopicInfo& topic) { return topic.name == "t"; });
  }));
  produce_one(queue, "t", "again");
  const auto record = read_one(reader);
  EXPECT_EQ(record.value, "again");
  EXPECT_EQ(record.offset, 0);
  EXPECT_TRUE(eventually([&] { return queue.health().ok; })) << queue.health().reason;
}

TEST_F(KafkaTopics, PartitionsThatAreAddedAreReadToo) {
  auto options = this->options("a");
  options.properties["topic.metadata.refresh.interval.ms"] = "1000";
  auto backend = open(options);
  Queue& queue = backend->queue();
  ASSERT_TRUE(queue.ensure_topic("t", 1));
  KafkaReader reader(queue, "t", "g");
  reader.consumer().set_gate(true);
  EXPECT_TRUE(eventually([&] { return reader.owned().size() == 1; }));
  add_partitions("t", 4);
  EXPECT_TRUE(eventually([&] { return reader.owned().size() == 4; }));
  produce(queue, "t", 40);
  EXPECT_EQ(reader.read(40).size(), 40u);
}

}  // namespace
}  // namespace fermata::testing
