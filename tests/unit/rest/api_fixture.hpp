#pragma once
// Both APIs over a real control plane on fakes, asked without sockets.

#include "base/time_format.hpp"
#include "rest/api.hpp"
#include "support/fake_driver.hpp"
#include "support/fake_queue.hpp"
#include "support/fakes.hpp"
#include "support/manual_executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::rest {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FakeHostView final : public HostView {
 public:
  std::vector<control::PluginView> plugins() const override { return shown_plugins; }
  std::vector<std::string> not_ready() const override { return reasons; }
  Result<std::vector<pipeline::FailedRecord>> failed(std::string_view, std::string_view location, std::string_view after,
                                                     std::size_t limit) override {
    asked_location = location;
    if (location != "paris") return std::vector<pipeline::FailedRecord>();
    std::vector<pipeline::FailedRecord> page;
    for (const auto& [id, record] : store)
      if (id > after && page.size() < limit) page.push_back(record);
    return page;
  }
  Result<std::size_t> retry_failed(std::string_view, std::string_view, const std::vector<std::string>& ids) override {
    std::size_t count = 0;
    for (const auto& id : ids) count += store.erase(id);
    return count;
  }

  std::vector<control::PluginView> shown_plugins;
  std::vector<std::string> reasons;
  std::string asked_location = "none";  ///< of the last listing of failed records
  std::map<std::string, pipeline::FailedRecord, std::less<>> store;
};

class ApiTest : public ::testing::Test {
 protected:
  struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;

    boost::json::value json() const {
      boost::system::error_code error;
      auto value = boost::json::parse(body, error);
      EXPECT_FALSE(error) << body;
      return value;
    }
    /// The member of an error body that is true: its name.
    std::string error_name() const {
      const auto object = json();
      for (const auto& [key, value] : object.as_object())
        if (value.is_bool()) return key;
      return {};
    }
    std::string detail() const { return std::string(json().at("detail").as_string()); }
  };

  ApiTest()
      : store_(std::make_shared<testing::FakeStateTree>(), executor_),
        fanout_(std::make_shared<testing::FakeWire>(), executor_),
        leases_(executor_),
        queue_(executor_, 2),
        control_({.node_id = "node-1", .node_address = "http://node-1", .node_version = "1.2.3"},
                 {store_, fanout_, leases_, kv_, executor_, executor_, log_}) {
    start();
    const ApiDependencies deps{control_, host_, store_, fanout_, queue_, metrics_, executor_, executor_};
    add_backbeat_routes(router_, deps);
    add_v1_routes(router_, deps);
  }
  ~ApiTest() override { control_.stop(); }

  void start() {
    control::ServiceSpec crr{"crr", "replication", "backbeat-replication", false, {{"paris"}, {"london"}, {"a+b é"}}};
    control::ServiceSpec ingestion{"ingestion", "ingestion", "backbeat-ingestion", true, {{"oslo"}}};
    ASSERT_TRUE(control_.add_service(std::move(crr), &crr_).is_ok());
    ASSERT_TRUE(control_.add_service(std::move(ingestion), &ingestion_).is_ok());
    control_.start();
    executor_.run_ready();
  }

  using Headers = std::map<std::string, std::string, std::less<>>;

  /// Asks, without waiting for the answer.
  std::shared_ptr<std::optional<Answer>> begin(std::string_view method, std::string_view target, std::string_view body = {},
                                               Headers headers = {}) {
    auto answer = std::make_shared<std::optional<Answer>>();
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    const std::size_t question = target.find('?');
    if (question != std::string_view::npos) request->query = target.substr(question + 1);
    request->body = body;
    headers.try_emplace(":peer", "10.0.0.7");
    request->header = [headers](std::string_view name) {
      const auto value = headers.find(name);
      return value == headers.end() ? std::nullopt : std::optional(value->second);
    };
    router_.dispatch(request, target.substr(0, question), [answer](HttpResponse response) {
      ASSERT_FALSE(answer->has_value()) << "answered twice";
      *answer = Answer{response.status, response.content_type, response.body};
    });
    return answer;
  }
  Answer ask(std::string_view method, std::string_view target, std::string_view body = {}, Headers headers = {}) {
    const auto answer = begin(method, target, body, std::move(headers));
    executor_.run_ready();
    for (int i = 0; i < 40 && !*answer; ++i) executor_.advance(50ms);
    EXPECT_TRUE(answer->has_value()) << method << " " << target << " is not answered";
    return answer->value_or(Answer{});
  }

  control::DesiredState desired(std::string_view location, std::string_view service = "crr") {
    return control_.location(service, location)->desired;
  }
  void lose_store() {
    store_.set_down("the disk is gone");
    executor_.advance(60s);
  }
  std::string in_hours(int hours) { return format_iso(executor_.now() + std::chrono::hours(hours)); }

  telemetry::Log log_{{.file = "/dev/null"}};
  telemetry::Metrics metrics_;
  testing::ManualExecutor executor_;
  testing::FakeStateStore store_;
  testing::FakeFanout fanout_;
  testing::FakeLeases leases_;
  testing::FakeKeyValueStore kv_;
  testing::FakeQueue queue_;
  testing::FakeDriver crr_;
  testing::FakeDriver ingestion_;
  control::ControlPlane control_;
  FakeHostView host_;
  Router router_;
};

}  // namespace fermata::rest
