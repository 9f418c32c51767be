// Brokers that are not there, not yet, too old, or behind a network that misbehaves.

#include "integration/kafka_fixture.hpp"
#include "support/fault_gate.hpp"

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class KafkaConnection : public KafkaTest {
 protected:
  /// A gate at the address that the broker's gated listener tells its clients; null if there is none.
  static std::unique_ptr<FaultGate> make_gate() {
    const char* to = std::getenv("FERMATA_TEST_KAFKA_GATED");
    const char* at = std::getenv("FERMATA_TEST_KAFKA_GATE");
    if (to == nullptr || at == nullptr) return nullptr;
    const std::string address = at;
    return std::make_unique<FaultGate>(to, static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  }
  /// What was acknowledged and not seen, and where another reader finds it in topic "t".
  std::string where_they_are(const std::set<std::string>& acknowledged, const std::set<std::string>& seen) {
    auto direct = open("b");
    KafkaReader reader(direct->queue(), "t", "another");
    reader.consumer().set_gate(true);
    std::map<std::string, std::string> found;
    std::map<std::int32_t, std::int64_t> ends;
    for (const auto end = std::chrono::steady_clock::now() + 5s; std::chrono::steady_clock::now() < end;)
      for (const auto& record : reader.poll()) {
        found[record.value] = std::to_string(record.partition) + "/" + std::to_string(record.offset);
        ends[record.partition] = record.offset + 1;
      }
    std::string out;
    for (const auto& value : acknowledged)
      if (seen.count(value) == 0) out += value + " at " + (found.count(value) > 0 ? found[value] : "no place") + "; ";
    for (const auto& [partition, end] : ends) out += "partition " + std::to_string(partition) + " ends at " + std::to_string(end) + "; ";
    return out;
  }

  kafka::Backend::Options gated_options(const FaultGate& gate) const {
    auto gated = options("a");
    gated.brokers = {gate.address()};
    gated.properties = {{"socket.timeout.ms", "2000"}, {"message.timeout.ms", "60000"}};
    return gated;
  }
};

TEST_F(KafkaConnection, RefusesPropertiesOnWhichItsPromisesRest) {
  for (const char* name : {"group.id", "enable.auto.commit", "max.in.flight", "max.in.flight.requests.per.connection"}) {
    auto settings = options("a");
    settings.properties = {{name, "5"}};
    const auto opened = kafka::Backend::open(settings, clock_, log_);
    ASSERT_EQ(opened.status().code(), Code::kInvalidArgument) << name;
    EXPECT_THAT(opened.status().message(), HasSubstr(name));
  }
}

TEST_F(KafkaConnection, RefusesAPropertyThatLibrdkafkaDoesNotKnowByName) {
  auto settings = options("a");
  settings.properties = {{"sasl.passwort", "hunter2"}};
  const auto opened = kafka::Backend::open(settings, clock_, log_);
  ASSERT_EQ(opened.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(opened.status().message(), HasSubstr("sasl.passwort"));
  EXPECT_THAT(opened.status().message(), Not(HasSubstr("hunter2")));
}

TEST_F(KafkaConnection, RefusesPropertiesThatContradictEachOther) {
  auto settings = options("a");
  settings.properties = {{"max.poll.interval.ms", "1000"}};  // less than the session timeout
  const auto opened = kafka::Backend::open(settings, clock_, log_);
  ASSERT_EQ(opened.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(opened.status().message(), HasSubstr("max.poll.interval.ms"));
}

TEST_F(KafkaConnection, TakesPropertiesOfProducersConsumersAndTopics) {
  auto settings = options("a");
  settings.properties = {{"linger.ms", "1"}, {"fetch.wait.max.ms", "100"}, {"request.timeout.ms", "5000"}};
  auto backend = open(settings);
  produce(backend->queue(), "t", 1);
}

// Brokers before 0.11 hand out no producer ids. They cannot be had any more, so a mock speaks for them; it keeps no records here.
TEST(KafkaTooOld, IsToldInHealthAndErrors) {
  std::array<char, 512> error{};
  rd_kafka_t* host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error.data(), error.size());
  ASSERT_NE(host, nullptr) << error.data();
  rd_kafka_mock_cluster_t* brokers = rd_kafka_mock_cluster_new(host, 1);
  constexpr std::int16_t kInitProducerId = 22;
  rd_kafka_mock_set_apiversion(brokers, kInitProducerId, -1, -1);
  rd_kafka_mock_topic_create(brokers, "t", 1, 1);
  SystemClock clock;
  telemetry::Log log({.level = telemetry::Level::kError, .json = false, .file = "/dev/null"});
  kafka::Backend::Options options;
  options.brokers = {rd_kafka_mock_cluster_bootstraps(brokers)};
  options.node_id = "a";
  options.operation_timeout = 1s;
  {
    auto opened = kafka::Backend::open(options, clock, log);
    ASSERT_TRUE(opened) << opened.status().text();
    Queue& queue = (*opened)->queue();
    EXPECT_TRUE(eventually([&] { return queue.health().reason.find("0.11 or later is needed") != std::string::npos; }))
        << queue.health().reason;
    Status status;
    EXPECT_TRUE(eventually([&] {
      status = queue.produce({{"t", "k", "v"}}, {});
      return status.code() == Code::kFailedPrecondition;
    })) << status.text();
    EXPECT_THAT(status.message(), HasSubstr("0.11 or later is needed"));
  }
  rd_kafka_mock_cluster_destroy(brokers);
  rd_kafka_destroy(host);
}

TEST_F(KafkaConnection, HealsByItselfWhenTheBrokersComeLater) {
  auto gate = make_gate();
  if (!gate) GTEST_SKIP() << "FERMATA_TEST_KAFKA_GATED and FERMATA_TEST_KAFKA_GATE are not set: a late broker was not checked";
  gate->cut();
  auto backend = open(gated_options(*gate));
  EXPECT_FALSE(backend->queue().health().ok);
  EXPECT_EQ(backend->queue().produce({{"t", "k", "v"}}, {}).code(), Code::kUnavailable);
  KafkaReader reader(backend->queue(), "t", "g");
  reader.consumer().set_gate(true);
  EXPECT_FALSE(backend->queue().health().reason.empty());
  gate->pass();
  EXPECT_TRUE(eventually([&] { return backend->queue().health().ok; })) << backend->queue().health().reason;
  produce(backend->queue(), "t", 10);
  EXPECT_EQ(reader.read(10).size(), 10u);
}

TEST_F(KafkaConnection, EndsWithinItsBoundsWhileTheBrokersAreAway) {
  auto gate = make_gate();
  if (!gate) GTEST_SKIP() << "FERMATA_TEST_KAFKA_GATED and FERMATA_TEST_KAFKA_GATE are not set: an end without brokers was not checked";
  auto settings = gated_options(*gate);
  settings.operation_timeout = 1s;
  auto backend = open(settings);
  produce(backend->queue(), "t", 10);
  auto reader = std::make_unique<KafkaReader>(backend->queue(), "t", "g");
  reader->consumer().set_gate(true);
  reader->commit(reader->read(10));
  gate->half_open();
  Calls<Status> produced;
  ASSERT_TRUE(backend->queue().produce({{"t", "k", "v"}}, [&](Status status) { produced.add(std::move(status)); }));
  const auto start = std::chrono::steady_clock::now();
  reader.reset();
  backend.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 40s);
  ASSERT_EQ(produced.count(), 1u);
  EXPECT_EQ(produced.all().front().code(), Code::kUnavailable);
}

TEST_F(KafkaConnection, LosesNothingWhateverTheNetworkDoes) {
  auto gate = make_gate();
  if (!gate) GTEST_SKIP() << "FERMATA_TEST_KAFKA_GATED and FERMATA_TEST_KAFKA_GATE are not set: no fault was injected";
  auto backend = open(gated_options(*gate));
  Queue& queue = backend->queue();
  ASSERT_TRUE(queue.ensure_topic("t", 4));
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<int> answers{0};
  int taken = 0;
  std::thread producing([&] {
    for (int number = 0; !stop; ++number) {
      const std::string value = std::to_string(number);
      if (queue.produce({{"t", "k" + std::to_string(number % 10), value}}, [&, value](const Status& status) {
            const std::lock_guard lock(mutex);
            if (status) acknowledged.insert(value);
            ++answers;
          }))
        ++taken;
      std::this_thread::sleep_for(1ms);
    }
  });
  KafkaReader reader(queue, "t", "g");
  reader.consumer().set_gate(true);
  std::set<std::string> seen;
  const auto read_for = [&](std::chrono::milliseconds time) {
    for (const auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end;) {
      const auto records = reader.poll();
      for (const auto& record : records) seen.insert(record.value);
      if (records.empty()) std::this_thread::sleep_for(1ms);
      reader.commit(records);
    }
  };
  for (int round = 0; round < 2; ++round) {
    read_for(500ms);
    gate->cut();
    read_for(1s);
    gate->pass();
    read_for(1s);
    gate->reset_after(3'000, round == 0 ? FaultGate::Sender::kServer : FaultGate::Sender::kClient);
    read_for(1s);
    gate->half_open();
    read_for(3s);
    gate->pass();
    read_for(500ms);
    gate->slow(20ms);
    read_for(500ms);
    gate->pass();
  }
  stop = true;
  producing.join();
  EXPECT_TRUE(eventually([&] {
    read_for(50ms);
    return answers == taken;
  })) << answers
      << " of " << taken << " batches were answered";
  EXPECT_TRUE(eventually([&] {
    read_for(50ms);
    const std::lock_guard lock(mutex);
    return std::includes(seen.begin(), seen.end(), acknowledged.begin(), acknowledged.end());
  })) << where_they_are(acknowledged, seen);
  EXPECT_GT(acknowledged.size(), 100u);
  std::printf("%zu acknowledged, %zu read, %d taken\n", acknowledged.size(), seen.size(), taken);
}

}  // namespace
}  // namespace fermata::testing
