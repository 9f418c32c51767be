#pragma once

#include "adapters/kafka/kafka.hpp"
#include "base/random.hpp"
#include "contract/eventually.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fermata::testing {

/// A consumer with what its events said. `owned` changes inside the events.
class KafkaReader {
 public:
  KafkaReader(Queue& queue, const std::string& topic, const std::string& group) {
    auto made = queue.consume(topic, group,
                              {.on_ready = [this] { bells_.add(1); },
                               .on_assigned =
                                   [this](std::span<const std::int32_t> partitions) {
                                     const std::lock_guard lock(mutex_);
                                     owned_.insert(partitions.begin(), partitions.end());
                                     ++assignments_;
                                   },
                               .on_revoked =
                                   [this](std::span<const std::int32_t> partitions) {
                                     const std::lock_guard lock(mutex_);
                                     for (const auto partition : partitions) owned_.erase(partition);
                                     ++revocations_;
                                   }});
    if (!made) throw std::runtime_error(made.status().text());
    consumer_ = std::move(*made);
  }

  Consumer& consumer() { return *consumer_; }
  const Calls<int>& bells() const { return bells_; }
  std::set<std::int32_t> owned() const {
    const std::lock_guard lock(mutex_);
    return owned_;
  }
  int assignments() const {
    const std::lock_guard lock(mutex_);
    return assignments_;
  }
  int revocations() const {
    const std::lock_guard lock(mutex_);
    return revocations_;
  }

  /// One poll; a record of a partition that is not owned is a failure, as no event can run between the poll and the check.
  std::vector<QueueRecord> poll() {
    const std::lock_guard lock(mutex_);
    auto records = consumer_->poll(1'000, 1u << 24);
    EXPECT_TRUE(records) << records.status().text();
    for (const auto& record : *records) EXPECT_EQ(owned_.count(record.partition), 1u) << "a record of a partition that was revoked";
    return std::move(*records);
  }
  std::vector<QueueRecord> read(std::size_t count) {
    std::vector<QueueRecord> all;
    EXPECT_TRUE(eventually([&] {
      for (auto& record : poll()) all.push_back(std::move(record));
      return all.size() >= count;
    })) << all.size()
        << " of " << count << " records";
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
  mutable std::mutex mutex_;  // guards what follows
  std::set<std::int32_t> owned_;
  int assignments_ = 0;
  int revocations_ = 0;
  std::unique_ptr<Consumer> consumer_;
};

/// Backends on the given broker, all with the same prefix that nobody else has.
class KafkaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (server() == nullptr) GTEST_SKIP() << "FERMATA_TEST_KAFKA=host:port is not set: Kafka's adapter was not checked";
  }

  static const char* server() { return std::getenv("FERMATA_TEST_KAFKA"); }
  kafka::Backend::Options options(const std::string& node_id) const {
    kafka::Backend::Options options;
    options.brokers = {server()};
    options.node_id = node_id;
    options.topic_prefix = prefix_;
    options.commit_interval = std::chrono::milliseconds(200);
    options.session_timeout = std::chrono::seconds(30);
    return options;
  }
  std::unique_ptr<kafka::Backend> open(kafka::Backend::Options options) {
    auto opened = kafka::Backend::open(std::move(options), clock_, log_);
    if (!opened) throw std::runtime_error(opened.status().text());
    return std::move(*opened);
  }
  std::unique_ptr<kafka::Backend> open(const std::string& node_id) { return open(options(node_id)); }

  /// Produces "from", "from + 1", ... with keys "k0" to "k9" in turn, and waits until they are acknowledged.
  static void produce(Queue& queue, const std::string& topic, int count, int from = 0, std::size_t value_bytes = 0) {
    std::vector<NewRecord> records;
    for (int i = from; i < from + count; ++i) {
      std::string value = std::to_string(i);
      if (value.size() < value_bytes) value.resize(value_bytes, ' ');
      records.push_back({topic, "k" + std::to_string(i % 10), std::move(value)});
    }
    Calls<Status> produced;
    Status taken;
    ASSERT_TRUE(eventually([&] {  // a backend that was just opened may not have reached its broker yet
      taken = queue.produce(records, [&](Status status) { produced.add(std::move(status)); });
      return taken.code() != Code::kUnavailable;
    })) << taken.text();
    ASSERT_TRUE(taken) << taken.text();
    ASSERT_TRUE(produced.reach(1));
    ASSERT_TRUE(produced.all().front()) << produced.all().front().text();
  }

  const std::string prefix_ = "fermata-test-" + random_hex(8) + ".";
  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kError}};
};

}  // namespace fermata::testing
