// The Kafka queue and a no-op processor, against bare librdkafka loops with the same promises on the same broker, in turns.
// Usage: FERMATA_TEST_KAFKA=host:port bench_kafka [records], default 500,000 of 1 KiB each.

#include "adapters/embedded/embedded.hpp"
#include "adapters/kafka/kafka.hpp"
#include "bench/bench.hpp"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

using namespace fermata;
using namespace fermata::bench;
using namespace std::chrono_literals;

constexpr int kRounds = 3;
constexpr int kPartitions = 8;
constexpr std::size_t kPoll = 1'000;

using Properties = std::map<std::string, std::string>;
struct ClientDeleter {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
using Client = std::unique_ptr<rd_kafka_t, ClientDeleter>;

void count_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++*static_cast<std::int64_t*>(opaque);
}

Client make_client(rd_kafka_type_t type, const Properties& properties, std::int64_t* delivered = nullptr) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> error{};
  for (const auto& [name, value] : properties)
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK)
      throw std::runtime_error(error.data());
  rd_kafka_conf_set_opaque(conf, delivered);
  if (delivered != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, count_delivery);
  rd_kafka_t* client = rd_kafka_new(type, conf, error.data(), error.size());
  if (client == nullptr) throw std::runtime_error(error.data());
  return Client(client);
}

/// Produces as one would by hand: idempotent, acks=all, one record after the other, copied by the library.
void bare_produce(const std::string& broker, const std::string& topic, std::int64_t count) {
  std::int64_t delivered = 0;
  const Client client = make_client(
      RD_KAFKA_PRODUCER,
      {{"bootstrap.servers", broker}, {"enable.idempotence", "true"}, {"linger.ms", "5"}, {"queue.buffering.max.kbytes", "65536"}},
      &delivered);
  const std::string value(kValueBytes, 'x');
  for (std::int64_t number = 0; number < count; ++number) {
    const std::string key = key_of(number);
    while (rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_KEY(key.data(), key.size()),
                             RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
      rd_kafka_poll(client.get(), 10);
    if (number % 100 == 0) rd_kafka_poll(client.get(), 0);
  }
  if (rd_kafka_flush(client.get(), 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR || delivered != count)
    throw std::runtime_error("the bare producer could not deliver all");
}

/// Reads a topic as one would by hand: a member of a group that takes a thousand at a time and commits once a second.
/// Measured from the first record on, as joining has nothing to do with speed.
Cost bare_consume(const std::string& broker, const std::string& topic, const std::string& group, std::int64_t count) {
  const Client client = make_client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", broker},
                                                        {"group.id", group},
                                                        {"auto.offset.reset", "earliest"},
                                                        {"enable.auto.offset.store", "true"},
                                                        {"auto.commit.interval.ms", "1000"}});
  rd_kafka_poll_set_consumer(client.get());
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(client.get(), topics);
  rd_kafka_topic_partition_list_destroy(topics);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(client.get());
  std::array<rd_kafka_message_t*, kPoll> batch{};
  std::size_t bytes = 0;
  const auto read = [&] {
    const auto got = rd_kafka_consume_batch_queue(queue, 1'000, batch.data(), batch.size());
    for (ssize_t i = 0; i < got; ++i) {
      bytes += batch[static_cast<std::size_t>(i)]->len;
      rd_kafka_message_destroy(batch[static_cast<std::size_t>(i)]);
    }
    return std::max<std::int64_t>(got, 0);
  };
  std::int64_t done = 0;
  while (done == 0) done = read();
  const Cost cost = measure(count - done, [&] {
    while (done < count) done += read();
  });
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(client.get());
  if (bytes < static_cast<std::size_t>(count) * kValueBytes) throw std::runtime_error("the bare consumer read too little");
  return cost;
}

Cost consume(Queue& queue, embedded::Backend& ports, std::int64_t count) {
  NoOpService service(queue, ports);
  service.set_gate(true);
  wait_for("the first record", [&] { return service.processed() > 0; });
  const std::int64_t done = service.processed();
  return measure(count - done, [&] { wait_for("the records", [&] { return service.processed() >= count; }); });
}

/// The round in the middle, by speed.
Cost median(std::vector<Cost> costs) {
  std::ranges::sort(costs, {}, &Cost::per_second);
  return costs[costs.size() / 2];
}

void run(const std::string& broker, std::int64_t count, const std::filesystem::path& folder) {
  SystemClock clock;
  telemetry::Log log({.level = telemetry::Level::kError});
  auto ports = embedded::Backend::open({.data_dir = (folder / "embedded").string(), .node_id = "bench"}, clock, log);
  check(ports.status());
  std::vector<Cost> produced;
  std::vector<Cost> bare_produced;
  std::vector<Cost> consumed;
  std::vector<Cost> bare_consumed;
  for (int round = 0; round < kRounds; ++round) {
    const std::string prefix = "bench-" + std::to_string(::getpid()) + "-" + std::to_string(round) + ".";
    kafka::Backend::Options options;
    options.brokers = {broker};
    options.node_id = "bench";
    options.topic_prefix = prefix;
    options.partitions = kPartitions;
    auto opened = kafka::Backend::open(std::move(options), clock, log);
    check(opened.status());
    Queue& queue = (*opened)->queue();
    check(queue.ensure_topic("topic", 0));
    check(queue.ensure_topic("bare", 0));
    produced.push_back(measure(count, [&] { produce(queue, count); }));
    bare_produced.push_back(measure(count, [&] { bare_produce(broker, prefix + "bare", count); }));
    consumed.push_back(consume(queue, **ports, count));
    bare_consumed.push_back(bare_consume(broker, prefix + "topic", prefix + "bare", count));
  }
  print("kafka: produce, acks=all", median(produced));
  print("bare librdkafka: produce, acks=all", median(bare_produced));
  print("kafka: consume by a no-op processor", median(consumed));
  print("bare librdkafka: consume", median(bare_consumed));
  std::printf("ratio to bare librdkafka: produce %.2f (aim 0.7), consume %.2f (aim 0.8)\n",
              median(produced).per_second / median(bare_produced).per_second,
              median(consumed).per_second / median(bare_consumed).per_second);
}

}  // namespace

int main(int argc, char** argv) {
  const char* broker = std::getenv("FERMATA_TEST_KAFKA");
  if (broker == nullptr) {
    std::fprintf(stderr, "bench_kafka: set FERMATA_TEST_KAFKA to host:port of a broker\n");
    return 1;
  }
  std::string folder = (std::filesystem::temp_directory_path() / "fermata-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 1;
  }
  int result = 0;
  try {
    run(broker, argc > 1 ? std::stoll(argv[1]) : 500'000, folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_kafka: %s\n", error.what());
    result = 1;
  }
  std::filesystem::remove_all(folder);
  return result;
}
