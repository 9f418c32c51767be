// A group's coordinator that is starting, played by librdkafka's own mock of a broker; no server is needed.

#include "adapters/kafka/kafka.hpp"
#include "integration/kafka_fixture.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <memory>

namespace fermata::testing {
namespace {

constexpr std::int16_t kOffsetFetch = 9;  // the request's key in Kafka's protocol

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

}  // namespace
}  // namespace fermata::testing
