// Brokers that are starting, played by librdkafka's own mock of a broker; no server is needed.

#include "adapters/kafka/kafka.hpp"
#include "integration/kafka_fixture.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

namespace fermata::testing {
namespace {

// Keys of requests in Kafka's protocol.
constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kOffsetFetch = 9;

class KafkaStarting : public KafkaTest {
 protected:
  void SetUp() override {
    std::array<char, 512> error{};
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error.data(), error.size()));
    ASSERT_NE(client_, nullptr) << error.data();
    cluster_.reset(rd_kafka_mock_cluster_new(client_.get(), 1));
    ASSERT_NE(cluster_, nullptr);
  }
  std::unique_ptr<kafka::Backend> open_mock() {
    kafka::Backend::Options options;
    options.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_.get())};
    options.node_id = "a";
    options.topic_prefix = prefix_;
    return open(std::move(options));
  }

  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client_{nullptr, rd_kafka_destroy};
  std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)> cluster_{nullptr, rd_kafka_mock_cluster_destroy};
};

TEST_F(KafkaStarting, LeavesNoPartitionUnreadWhenItRefusesToTellAnOffset) {
  const std::string topic = prefix_ + "t";
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(), 2, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  auto backend = open_mock();
  // The first question is answered; whoever asks again is refused for a while.
  rd_kafka_mock_push_request_errors(cluster_.get(), kOffsetFetch, 4, RD_KAFKA_RESP_ERR_NO_ERROR,
                                    RD_KAFKA_RESP_ERR_NOT_COORDINATOR_FOR_GROUP, RD_KAFKA_RESP_ERR_NOT_COORDINATOR_FOR_GROUP,
                                    RD_KAFKA_RESP_ERR_NOT_COORDINATOR_FOR_GROUP);
  produce(backend->queue(), "t", 20);
  KafkaReader reader(backend->queue(), "t", "g");
  reader.consumer().set_gate(true);
  EXPECT_EQ(reader.read(20).size(), 20u);
}

// A partition takes any first sequence number, also of the second request when it was not ready for the first (KAFKA-15591). The
// mock takes any number at any time.
TEST_F(KafkaStarting, LosesNothingThatItAcknowledgesWhenAPartitionRefusesTheFirstRequest) {
  constexpr int kRecords = 20;
  const std::string topic = prefix_ + "t";
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(), 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  auto backend = open_mock();
  Queue& queue = backend->queue();
  produce(queue, "t", 1);  // from here on requests are sent as soon as they may be
  rd_kafka_mock_push_request_errors(cluster_.get(), kProduce, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  ASSERT_EQ(rd_kafka_mock_broker_set_rtt(cluster_.get(), 1, 300), RD_KAFKA_RESP_ERR_NO_ERROR);
  Calls<Status> produced;
  for (int i = 1; i < kRecords; ++i) {
    ASSERT_TRUE(queue.produce({{"t", "k", std::to_string(i)}}, [&](Status status) { produced.add(std::move(status)); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // so that many requests are on the way if many may be
  }
  ASSERT_TRUE(produced.reach(kRecords - 1));
  for (const auto& status : produced.all()) EXPECT_TRUE(status) << status.text();
  ASSERT_EQ(rd_kafka_mock_broker_set_rtt(cluster_.get(), 1, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
  KafkaReader reader(queue, "t", "g");
  reader.consumer().set_gate(true);
  const auto records = reader.read(kRecords);
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i) EXPECT_EQ(records[static_cast<std::size_t>(i)].value, std::to_string(i));
}

}  // namespace
}  // namespace fermata::testing
