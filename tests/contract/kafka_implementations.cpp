#include "adapters/kafka/kafka.hpp"
#include "base/random.hpp"
#include "contract/contract.hpp"
#include "contract/eventually.hpp"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

namespace fermata::testing {
namespace {

const char* server() { return std::getenv("FERMATA_TEST_KAFKA"); }

/// A backend on the given brokers, with topics and groups that nobody else has.
class KafkaProvider final : public Provider<Queue> {
 public:
  KafkaProvider() {
    options_.brokers = {server()};
    options_.node_id = "contract";
    options_.topic_prefix = "fermata-test-" + random_hex(8) + ".";
    open();
  }
  Queue& port() override { return backend_->queue(); }
  void restart() override {
    backend_.reset();
    open();
  }

 private:
  void open() {
    auto opened = kafka::Backend::open(options_, clock_, log_);
    if (!opened) throw std::runtime_error(opened.status().text());
    backend_ = std::move(*opened);
    if (!eventually([this] { return backend_->queue().health().ok; })) throw std::runtime_error(backend_->queue().health().reason);
  }

  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kError}};
  kafka::Backend::Options options_;
  std::unique_ptr<kafka::Backend> backend_;
};

std::vector<Implementation<Queue>> implementations() {
  if (server() == nullptr) return {};
  return {{.name = "kafka", .make = [] { return std::make_unique<KafkaProvider>(); }}};
}

INSTANTIATE_TEST_SUITE_P(Kafka, QueueContract, ::testing::ValuesIn(implementations()));
INSTANTIATE_TEST_SUITE_P(Kafka, QueueBounds, ::testing::ValuesIn(implementations()));

TEST(KafkaContract, RunsWhenABrokerIsGiven) {
  if (server() == nullptr) GTEST_SKIP() << "FERMATA_TEST_KAFKA=host:port is not set: the contract of Kafka was not checked";
}

}  // namespace
}  // namespace fermata::testing
