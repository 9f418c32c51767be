#include "adapters/redis/redis.hpp"
#include "base/random.hpp"
#include "contract/contract.hpp"
#include "contract/eventually.hpp"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

namespace fermata::testing {
namespace {

const char* server() { return std::getenv("FERMATA_TEST_REDIS"); }

/// A backend on the given server, with channels and keys that nobody else has.
template <typename Port, Port& (redis::Backend::*get)()>
class RedisProvider final : public Provider<Port> {
 public:
  RedisProvider() {
    options_.servers = {server()};
    options_.channel_prefix = options_.key_prefix = "fermata-test-" + random_hex(8) + ":";
    options_.operation_timeout = std::chrono::seconds(30);
    open();
  }
  Port& port() override { return ((*backend_).*get)(); }
  void restart() override {
    backend_.reset();
    open();
  }

 private:
  void open() {
    auto opened = redis::Backend::open(options_, clock_, log_);
    if (!opened) throw std::runtime_error(opened.status().text());
    backend_ = std::move(*opened);
    // It connects in the background; the suites are about a port in working order.
    if (!eventually([this] { return backend_->fanout().health().ok; })) throw std::runtime_error(backend_->fanout().health().reason);
  }

  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kError}};
  redis::Backend::Options options_;
  std::unique_ptr<redis::Backend> backend_;
};

template <typename Port, Port& (redis::Backend::*get)()>
auto implementation() {
  std::vector<Implementation<Port>> there;
  if (server() != nullptr) there.push_back({.name = "redis", .make = [] { return std::make_unique<RedisProvider<Port, get>>(); }});
  return ::testing::ValuesIn(there);
}

using redis::Backend;
INSTANTIATE_TEST_SUITE_P(Redis, FanoutContract, (implementation<Fanout, &Backend::fanout>()));
INSTANTIATE_TEST_SUITE_P(Redis, KeyValueStoreContract, (implementation<KeyValueStore, &Backend::kv>()));
INSTANTIATE_TEST_SUITE_P(Redis, KeyValueStoreBounds, (implementation<KeyValueStore, &Backend::kv>()));

TEST(RedisContract, RunsWhenAServerIsGiven) {
  if (server() == nullptr) GTEST_SKIP() << "FERMATA_TEST_REDIS=host:port is not set: the contracts of Redis were not checked";
}

}  // namespace
}  // namespace fermata::testing
