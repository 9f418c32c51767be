// The bridge as a plugin sees it: through the SDK's Host, and through the bare tables where a plugin breaks the rules.
#include "plugin/host_bridge.hpp"

#include "plugin_abi/house.hpp"
#include "support/manual_executor.hpp"

#include <fermata/abi/metrics.h>
#include <gmock/gmock.h>
#include <fermata/sdk/host.hpp>

#include <optional>

namespace fermata::plugin {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

class HostBridgeTest : public ::testing::Test {
 protected:
  template <typename Api>
  const Api& table(const char* name) {
    return *static_cast<const Api*>(bridge.abi()->get_interface(bridge.abi()->handle, name));
  }
  void* handle() { return bridge.abi()->handle; }
  bool logs(const std::string& part) {
    return testing::eventually([&] { return testing::content(dir / "log").find(part) != std::string::npos; });
  }
  /// Registration ends, the pipelines run and the gate of "a" opens.
  void run() {
    bridge.end_registration();
    bridge.serve_routes(true);
    ASSERT_TRUE(pipelines.start().is_ok());
    pipelines.set_gate("a", true);
    executor.run_ready();
  }
  void produce(const std::string& key) {
    ASSERT_TRUE(queue.produce({{"topic", key, "value"}}, [](const Status&) {}).is_ok());
    executor.run_ready();
  }

  testing::TempDir dir;
  testing::ManualExecutor executor;
  telemetry::Log log{{.level = telemetry::Level::kDebug, .json = false, .file = dir / "log"}};
  telemetry::Metrics metrics;
  testing::FakeQueue queue{executor};
  testing::FakeKeyValueStore kv;
  testing::FakeStateStore store{std::make_shared<testing::FakeStateTree>(), executor};
  testing::FakeLeases leases{executor};
  testing::FakeRoutes routes;
  pipeline::ServicePipelines pipelines{"svc", "/backbeat/svc", {}, {queue, kv, store, leases, executor, executor, executor, log, metrics}};
  HostBridge bridge{"plug", "svc", {"a", "b"}, {pipelines, kv, executor, executor, log, metrics, routes}};
  sdk::Host host{bridge.abi()};
};

TEST_F(HostBridgeTest, OffersEveryInterfaceOfTheAbiAndNoOther) {
  for (const char* name : {"fermata.log/1", "fermata.clock/1", "fermata.metrics/1", "fermata.queue/1", "fermata.populator/1",
                           "fermata.kv/1", "fermata.executor/1", "fermata.http/1", "fermata.failed/1"})
    EXPECT_NE(host.get_interface(name), nullptr) << name;
  EXPECT_EQ(host.get_interface("fermata.log/2"), nullptr);
  EXPECT_EQ(host.get_interface(""), nullptr);
}

TEST_F(HostBridgeTest, LogLinesCarryServiceAndLocationAndAreCut) {
  host.warn("something", "a");
  host.info(std::string(20'000, 'x'));
  EXPECT_TRUE(logs("something"));
  EXPECT_TRUE(logs(std::string(4'000, 'x')));
  EXPECT_THAT(testing::content(dir / "log"),
              AllOf(HasSubstr("plugin/svc"), HasSubstr("location=a"), ::testing::Not(HasSubstr(std::string(8'193, 'x')))));
}

TEST_F(HostBridgeTest, GivesAPluginItsFailedRecordsToListRetryAndDiscard) {
  std::vector<std::string> ids;
  ASSERT_TRUE(host.register_processor({"p", "topic", "a", {}, 0, [&ids](const sdk::Record& record, sdk::Delivery delivery) {
                                         ids.emplace_back(record.id);
                                         delivery.fail("never");
                                       }}));
  run();
  for (const auto* key : {"k1", "k2"}) produce(key);
  const auto failed = host.failed("a", {}, 10);
  ASSERT_TRUE(failed) << failed.status().text();
  ASSERT_EQ(failed->size(), 2u);
  EXPECT_EQ(failed->at(0).id, ids.at(0));
  EXPECT_EQ(failed->at(0).reason, "never");
  EXPECT_EQ(failed->at(0).key, "k1");
  EXPECT_EQ(failed->at(0).value, "value");
  EXPECT_TRUE(host.discard_failed("a", ids.at(0)));
  EXPECT_EQ(host.retry_failed("a", ids.at(0)).code(), Code::kNotFound);
  EXPECT_EQ(host.failed("nowhere", {}, 10).status().code(), Code::kNotFound);
  EXPECT_EQ(host.failed("a", {}, 0).status().code(), Code::kInvalidArgument);
}

TEST_F(HostBridgeTest, RunsAProcessorWithoutALocationWhateverIsPaused) {
  std::vector<std::string> keys;
  sdk::Processor processor{"p", "topic", "", "", 0, [&keys](const sdk::Record& record, sdk::Delivery delivery) {
                             keys.emplace_back(record.key);
                             delivery.done();
                           }};
  EXPECT_EQ(host.register_processor(processor).code(), Code::kInvalidArgument);
  processor.group = "of-its-own";
  ASSERT_TRUE(host.register_processor(processor));
  run();
  pipelines.set_gate("a", false);
  produce("k");
  EXPECT_EQ(keys, std::vector<std::string>{"k"});
}

TEST_F(HostBridgeTest, ClockIsTheHostsClock) {
  const auto before = host.monotonic();
  executor.advance(milliseconds(5));
  EXPECT_EQ(host.monotonic() - before, milliseconds(5));
  EXPECT_EQ(host.now(), executor.now());
}

TEST_F(HostBridgeTest, MetricsGetTheServiceAsALabel) {
  host.counter("greetings_total", "Greetings.", {{"kind", "loud"}}).record(2);
  EXPECT_THAT(metrics.text(), AllOf(HasSubstr("greetings_total{"), HasSubstr("service=\"svc\""), HasSubstr("kind=\"loud\"")));
}

TEST_F(HostBridgeTest, MetricsRefuseForeignServiceLabelsAndTooManyLabels) {
  const auto& api = table<fermata_metrics_api>(FERMATA_METRICS_INTERFACE);
  const fermata_label service = {sdk::to_abi("service"), sdk::to_abi("other")};
  fermata_metric* metric = nullptr;
  auto error = sdk::make_error();
  EXPECT_EQ(api.series(handle(), FERMATA_COUNTER, sdk::to_abi("x"), {}, &service, 1, &metric, &error), FERMATA_INVALID_ARGUMENT);
  const std::vector<fermata_label> many(9, fermata_label{sdk::to_abi("l"), {}});
  EXPECT_EQ(api.series(handle(), FERMATA_COUNTER, sdk::to_abi("x"), {}, many.data(), many.size(), &metric, &error),
            FERMATA_INVALID_ARGUMENT);
  EXPECT_EQ(api.series(handle(), 7, sdk::to_abi("x"), {}, nullptr, 0, &metric, &error), FERMATA_INVALID_ARGUMENT);
  EXPECT_EQ(metric, nullptr);
}

TEST_F(HostBridgeTest, KeyValueEntriesAreTheServicesOwn) {
  ASSERT_TRUE(kv.put("other", "key", "secret").is_ok());
  EXPECT_EQ(host.kv_get("key").value(), std::nullopt);
  ASSERT_TRUE(host.kv_put("key", "mine").is_ok());
  EXPECT_EQ(host.kv_get("key").value(), "mine");
  EXPECT_EQ(kv.get("svc", "key").value(), "mine");
  EXPECT_EQ(kv.get("other", "key").value(), "secret");
  ASSERT_TRUE(host.kv_remove("key").is_ok());
  EXPECT_EQ(host.kv_get("key").value(), std::nullopt);
}

TEST_F(HostBridgeTest, KeyValueBoundsAreErrorsThatSayTheBound) {
  EXPECT_THAT(host.kv_put("", "x").message(), HasSubstr("1 to 4096"));
  EXPECT_EQ(host.kv_put(std::string(4'097, 'k'), "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(host.kv_put("k", std::string((256u << 10) + 1, 'v')).code(), Code::kInvalidArgument);
  EXPECT_TRUE(host.kv_put(std::string(4'096, 'k'), std::string(256u << 10, 'v')).is_ok());
}

TEST_F(HostBridgeTest, ScanGoesOverManyPagesAndStopsAtTheLimit) {
  for (int i = 0; i < 1'300; ++i) ASSERT_TRUE(host.kv_put("p/" + std::to_string(10'000 + i), "v").is_ok());
  ASSERT_TRUE(host.kv_put("q/1", "v").is_ok());
  EXPECT_EQ(host.kv_scan("p/", "", 5'000).value().size(), 1'300u);
  const auto some = host.kv_scan("p/", "p/10000", 1'100).value();
  EXPECT_EQ(some.size(), 1'100u);
  EXPECT_EQ(some.front().key, "p/10001");
}

TEST_F(HostBridgeTest, TasksAndTimersRunAndCanBeCancelled) {
  std::string ran;
  host.post([&] { ran += 'p'; });
  host.post_after(milliseconds(10), [&] { ran += 't'; });
  const auto cancelled = host.post_after(milliseconds(10), [&] { ran += 'c'; });
  EXPECT_TRUE(ran.empty()) << "never within the call";
  EXPECT_TRUE(host.cancel(cancelled));
  EXPECT_FALSE(host.cancel(cancelled));
  executor.advance(milliseconds(10));
  EXPECT_EQ(ran, "pt");
}

TEST_F(HostBridgeTest, ForeignTimersCannotBeCancelled) {
  bool ran = false;
  const auto id = executor.post_after(milliseconds(10), [&] { ran = true; });
  EXPECT_FALSE(host.cancel(id));
  executor.advance(milliseconds(10));
  EXPECT_TRUE(ran);
}

TEST_F(HostBridgeTest, NothingEntersThePluginAfterStopCallbacks) {
  bool ran = false;
  host.post([&] { ran = true; });
  host.post_after(milliseconds(1), [&] { ran = true; });
  ASSERT_TRUE(host.produce("topic", "k", "v", [&](Status) { ran = true; }).is_ok());
  ASSERT_TRUE(bridge.stop_callbacks(milliseconds(0)));
  executor.advance(milliseconds(10));
  EXPECT_FALSE(ran);
  EXPECT_EQ(executor.pending_timers(), 0u);
}

TEST_F(HostBridgeTest, ClosedBridgeAnswersCancelledAndDoesNothing) {
  ASSERT_TRUE(bridge.close(milliseconds(0)));
  EXPECT_EQ(host.kv_put("k", "v").code(), Code::kCancelled);
  EXPECT_EQ(host.produce("topic", "k", "v").code(), Code::kCancelled);
  EXPECT_EQ(kv.get("svc", "k").value(), std::nullopt);
}

TEST_F(HostBridgeTest, ProcessorGetsTheRecordAndItsCompletionCounts) {
  std::optional<sdk::Delivery> open;
  std::string seen;
  ASSERT_TRUE(host.register_processor({.name = "p",
                                       .topic = "topic",
                                       .location = "a",
                                       .process =
                                           [&](const sdk::Record& record, sdk::Delivery delivery) {
                                             seen = std::string(record.topic) + " " + std::string(record.key) + " " +
                                                    std::string(record.value) + " " + std::to_string(record.attempt);
                                             open = std::move(delivery);
                                           }})
                  .is_ok());
  run();
  produce("k");
  EXPECT_EQ(seen, "topic k value 1");
  EXPECT_EQ(pipelines.counts("a").in_flight, 1);
  open->done();
  executor.run_ready();
  EXPECT_EQ(pipelines.counts("a").processed, 1);
}

TEST_F(HostBridgeTest, APostponedDeliveryDoesNotCountAsAnAttempt) {
  std::optional<sdk::Delivery> open;
  std::uint32_t attempt = 0;
  ASSERT_TRUE(host.register_processor({.name = "p",
                                       .topic = "topic",
                                       .location = "a",
                                       .process =
                                           [&](const sdk::Record& record, sdk::Delivery delivery) {
                                             attempt = record.attempt;
                                             open = std::move(delivery);
                                           }})
                  .is_ok());
  run();
  produce("k");
  ASSERT_TRUE(open);
  std::exchange(open, std::nullopt)->postpone("target down");
  executor.advance(std::chrono::minutes(2));
  ASSERT_TRUE(open) << "it is handed out again";
  EXPECT_EQ(attempt, 1u);
  EXPECT_EQ(pipelines.counts("a").last_error, "target down");
  open->done();
}

TEST_F(HostBridgeTest, UnknownOutcomeKeepsTheRecord) {
  fermata_delivery* open = nullptr;
  const auto keep = [](void* ctx, const fermata_record*, fermata_delivery* delivery) { *static_cast<fermata_delivery**>(ctx) = delivery; };
  const auto& api = table<fermata_queue_api>(FERMATA_QUEUE_INTERFACE);
  const fermata_processor processor = {
      sizeof(fermata_processor), 0, sdk::to_abi("p"), sdk::to_abi("topic"), sdk::to_abi("a"), {}, &open, keep};
  ASSERT_EQ(api.register_processor(handle(), &processor, nullptr), FERMATA_OK);
  run();
  produce("k");
  ASSERT_NE(open, nullptr);
  api.complete(handle(), open, 42, {});
  executor.run_ready();
  EXPECT_EQ(pipelines.counts("a").retrying, 1);
  EXPECT_EQ(pipelines.counts("a").failed, 0);
}

TEST_F(HostBridgeTest, CompletingAMadeUpDeliveryIsIgnoredAndLogged) {
  const auto& api = table<fermata_queue_api>(FERMATA_QUEUE_INTERFACE);
  api.complete(handle(), nullptr, FERMATA_DONE, {});
  api.complete(handle(), reinterpret_cast<fermata_delivery*>(0x1234567890), FERMATA_DONE, {});
  EXPECT_TRUE(logs("completed a delivery that is not open"));
}

TEST_F(HostBridgeTest, RegistrationIsRefusedForForeignLocationsAndAfterInit) {
  const auto ignore = [](const sdk::Record&, sdk::Delivery delivery) { delivery.done(); };
  EXPECT_THAT(host.register_processor({.name = "p", .topic = "t", .location = "x", .process = ignore}).message(),
              HasSubstr("location 'x'"));
  EXPECT_THAT(host.register_populator({.name = "p", .topic = "t", .location = "x", .poll = [](std::string_view, sdk::Batch) {}}).message(),
              HasSubstr("location 'x'"));
  bridge.end_registration();
  EXPECT_EQ(host.register_processor({.name = "p", .topic = "t", .location = "a", .process = ignore}).code(), Code::kFailedPrecondition);
  EXPECT_EQ(host.register_populator({.name = "p", .topic = "t", .poll = [](std::string_view, sdk::Batch) {}}).code(),
            Code::kFailedPrecondition);
  EXPECT_EQ(host.add_route("GET", "x", [](const sdk::HttpRequest&, sdk::Exchange) {}).code(), Code::kFailedPrecondition);
}

TEST_F(HostBridgeTest, ProduceIsAcknowledgedAndBounded) {
  std::optional<Status> produced;
  ASSERT_TRUE(host.produce("topic", "k", "v", [&](Status status) { produced = std::move(status); }).is_ok());
  EXPECT_FALSE(produced);
  executor.run_ready();
  ASSERT_TRUE(produced);
  EXPECT_TRUE(produced->is_ok());
  EXPECT_EQ(host.produce("topic", "k", std::string(1u << 20, 'v')).code(), Code::kInvalidArgument);
  EXPECT_EQ(host.produce("", "k", "v").code(), Code::kInvalidArgument);
}

TEST_F(HostBridgeTest, PopulatorEmitsIntoItsTopicAndItsCheckpointComesBack) {
  std::vector<std::string> checkpoints;
  ASSERT_TRUE(host.register_populator({.name = "j",
                                       .topic = "out",
                                       .location = "a",
                                       .poll =
                                           [&](std::string_view checkpoint, sdk::Batch batch) {
                                             checkpoints.emplace_back(checkpoint);
                                             EXPECT_TRUE(batch.emit("k", "v").is_ok());
                                             batch.finish("c" + std::to_string(checkpoints.size()), milliseconds(1'000));
                                           }})
                  .is_ok());
  run();
  executor.advance(milliseconds(1'100));
  ASSERT_GE(checkpoints.size(), 2u);
  EXPECT_EQ(checkpoints[0], "");
  EXPECT_EQ(checkpoints[1], "c1");
}

TEST_F(HostBridgeTest, BatchIsFullAtAThousandRecordsAndSpentAfterFinish) {
  fermata_batch* open = nullptr;
  const auto keep = [](void* ctx, fermata_str, fermata_batch* batch) { *static_cast<fermata_batch**>(ctx) = batch; };
  const auto& api = table<fermata_populator_api>(FERMATA_POPULATOR_INTERFACE);
  const fermata_populator populator = {sizeof(fermata_populator), 0, sdk::to_abi("j"), sdk::to_abi("out"), {}, &open, keep};
  ASSERT_EQ(api.register_populator(handle(), &populator, nullptr), FERMATA_OK);
  run();
  ASSERT_NE(open, nullptr);
  fermata_batch* const batch = open;
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(api.emit(handle(), batch, sdk::to_abi("k"), sdk::to_abi("v"), nullptr), FERMATA_OK);
  EXPECT_EQ(api.emit(handle(), batch, sdk::to_abi("k"), sdk::to_abi("v"), nullptr), FERMATA_RESOURCE_EXHAUSTED);
  api.finish(handle(), batch, FERMATA_OK, {}, sdk::to_abi("c"), 1'000);
  EXPECT_EQ(api.emit(handle(), batch, sdk::to_abi("k"), sdk::to_abi("v"), nullptr), FERMATA_FAILED_PRECONDITION);
  api.finish(handle(), batch, FERMATA_OK, {}, sdk::to_abi("d"), 0);
  EXPECT_TRUE(logs("finished a batch that is not open"));
}

TEST_F(HostBridgeTest, RequestsAreAnsweredThroughTheRoute) {
  ASSERT_TRUE(host.add_route("GET", "objects/*",
                             [](const sdk::HttpRequest& request, sdk::Exchange exchange) {
                               exchange.respond_json("\"" + std::string(request.rest) + request.header("x-who").value_or("-") + "\"");
                             })
                  .is_ok());
  auto request = std::make_shared<HttpRequest>();
  request->method = "GET";
  request->header = [](std::string_view name) { return name == "x-who" ? std::optional<std::string>("me") : std::nullopt; };
  HttpResponse answer;
  const auto ask = [&] {
    routes.find("svc", "GET objects/*")(request, "objects/b/k", "b/k", [&](HttpResponse response) { answer = std::move(response); });
  };
  ask();
  EXPECT_EQ(answer.status, 503) << "not before the service has started";
  run();
  answer = {};
  ask();
  EXPECT_EQ(answer.body, "") << "the caller is the REST thread, which does not wait for plugins";
  executor.run_ready();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "\"b/kme\"");
}

TEST_F(HostBridgeTest, RequestsThatAreOpenAtTheEndAreAnswered503) {
  std::optional<sdk::Exchange> open;
  ASSERT_TRUE(
      host.add_route("GET", "x", [&](const sdk::HttpRequest&, sdk::Exchange exchange) { open.emplace(std::move(exchange)); }).is_ok());
  run();
  int status = 0;
  routes.find("svc", "GET x")(std::make_shared<HttpRequest>(), "x", "", [&](const HttpResponse& response) { status = response.status; });
  executor.run_ready();
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(bridge.stop_callbacks(milliseconds(0)));
  EXPECT_EQ(status, 503);
  open->respond(200, "text/plain", "too late");
  EXPECT_EQ(status, 503);
  EXPECT_TRUE(logs("answered a request that is not open"));
}

TEST_F(HostBridgeTest, ARequestWhoseTurnHasNotComeAtTheEndIsAnswered503AndNotHandled) {
  bool handled = false;
  ASSERT_TRUE(host.add_route("GET", "x", [&](const sdk::HttpRequest&, sdk::Exchange) { handled = true; }).is_ok());
  run();
  int status = 0;
  routes.find("svc", "GET x")(std::make_shared<HttpRequest>(), "x", "", [&](const HttpResponse& response) { status = response.status; });
  ASSERT_TRUE(bridge.stop_callbacks(milliseconds(0)));
  EXPECT_EQ(status, 503);
  executor.run_ready();
  EXPECT_FALSE(handled);
}

}  // namespace
}  // namespace fermata::plugin
