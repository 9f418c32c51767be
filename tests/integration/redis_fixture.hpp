#pragma once

#include "adapters/redis/redis.hpp"
#include "contract/eventually.hpp"
#include "integration/redis_server.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fermata::testing {

using Message = std::pair<std::string, std::string>;

/// Makes backends that wait for a slow machine, but notice a silent server within seconds. Each test starts the servers it needs.
class RedisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::installed()) GTEST_SKIP() << "redis-server is not installed: Redis's adapter was not checked";
  }

  static redis::Backend::Options options(std::vector<std::string> servers) {
    return {.servers = std::move(servers), .ping_interval = std::chrono::seconds(2), .operation_timeout = std::chrono::seconds(20)};
  }
  std::unique_ptr<redis::Backend> open(redis::Backend::Options options) {
    auto opened = redis::Backend::open(std::move(options), clock_, log_);
    if (!opened) throw std::runtime_error(opened.status().text());
    return std::move(*opened);
  }
  /// The same, waiting until it is connected.
  std::unique_ptr<redis::Backend> open_ready(redis::Backend::Options options) {
    auto backend = open(std::move(options));
    EXPECT_TRUE(publishes(*backend)) << backend->fanout().health().reason;
    return backend;
  }

  static bool publishes(redis::Backend& backend) {
    return eventually([&] { return backend.fanout().publish("warm-up", "").is_ok() && backend.fanout().health().ok; });
  }
  static bool reports(redis::Backend& backend, std::string_view reason) {
    return eventually([&] {
      const Health health = backend.fanout().health();
      return !health.ok && health.reason.find(reason) != std::string::npos;
    });
  }
  static std::string value_of(redis::Backend& backend, const std::string& key) {
    const auto value = backend.kv().get("s", key);
    if (!value) return value.status().text();
    return *value ? **value : "(none)";
  }
  Fanout::Listener listener() {
    return {[this](std::string_view channel, std::string_view message) {
              messages_.add({std::string(channel), std::string(message)});
            },
            [this] { subscribed_.add(1); }};
  }

  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kError}};
  Calls<Message> messages_;
  Calls<int> subscribed_;
};

}  // namespace fermata::testing
