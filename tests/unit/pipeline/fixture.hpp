#pragma once

#include "pipeline/service_pipelines.hpp"
#include "support/fake_queue.hpp"
#include "support/fakes.hpp"
#include "support/manual_executor.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::pipeline {

using namespace std::chrono_literals;

/// Everything that ServicePipelines depends on, moved by hand.
class PipelineTest : public ::testing::Test {
 protected:
  ServicePipelines::Dependencies dependencies() { return {queue_, kv_, store_, leases_, executor_, executor_, executor_, log_, metrics_}; }
  std::unique_ptr<ServicePipelines> make(PipelineOptions options = {}) {
    // Nothing that is in flight ends while a test's one thread takes a partition away.
    if (options.revoke_patience == PipelineOptions().revoke_patience) options.revoke_patience = 0ms;
    return std::make_unique<ServicePipelines>("crr", "/backbeat/crr", options, dependencies());
  }

  /// Those of pipelines; a service has one of its own once it has started.
  std::size_t pipeline_timers() const { return executor_.pending_timers() - 1; }

  testing::ManualExecutor executor_;
  testing::FakeQueue queue_{executor_};
  testing::FakeKeyValueStore kv_;
  testing::FakeStateStore store_{std::make_shared<testing::FakeStateTree>(), executor_};
  testing::FakeLeases leases_{executor_};
  telemetry::Log log_{{.level = telemetry::Level::kError}};
  telemetry::Metrics metrics_;
};

/// A processor that keeps what it was handed until the test says how it went.
class Recorder {
 public:
  struct Handed {
    std::string key;
    std::string value;
    std::uint32_t attempt;
    bool last_attempt;
    bool redelivered;
    Complete complete;
  };

  ProcessorSpec spec(std::string name = "replicate", std::string location = "paris") {
    return {std::move(name), "topic", std::move(location), {}, 0, [this](const DeliveredRecord& delivered, Complete complete) {
              handed.push_back({delivered.record->key, delivered.record->value, delivered.attempt, delivered.last_attempt,
                                delivered.redelivered, std::move(complete)});
              order.push_back(delivered.record->value);
            }};
  }
  /// Completes what is in hand with `key`.
  void finish(std::string_view key, Outcome outcome = Outcome::kDone, std::string_view text = {}) {
    for (auto one = handed.begin(); one != handed.end(); ++one) {
      if (one->key != key) continue;
      const Complete complete = std::move(one->complete);
      handed.erase(one);
      complete(outcome, text);
      return;
    }
    FAIL() << key << " is not in hand";
  }
  void finish_all() {
    while (!handed.empty()) finish(handed.front().key);
  }
  bool has(std::string_view key) const {
    for (const auto& one : handed)
      if (one.key == key) return true;
    return false;
  }

  std::vector<Handed> handed;      ///< in hand, not completed
  std::vector<std::string> order;  ///< the values of all deliveries
};

}  // namespace fermata::pipeline
