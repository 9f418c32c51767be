#include <fermata/sdk/host.hpp>
#include <fermata/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <thread>

namespace fermata::sdk {
namespace {

using testing::FakeHost;
using testing::Message;

struct HostTest : ::testing::Test {
  FakeHost fake;
  Host host{fake.raw()};

  void add_processor(std::function<void(const Record&, Delivery)> process) {
    const auto status = host.register_processor({.name = "p", .topic = "t", .location = "l", .process = std::move(process)});
    ASSERT_TRUE(status.is_ok()) << status.text();
  }
  void add_populator(std::function<void(std::string_view, Batch)> poll) {
    const auto status = host.register_populator({.name = "j", .topic = "t", .location = "l", .poll = std::move(poll)});
    ASSERT_TRUE(status.is_ok()) << status.text();
  }
};

// Deliveries

TEST_F(HostTest, HandsTheRecordToTheProcessorAndItsOutcomeToTheHost) {
  add_processor([](const Record& record, Delivery delivery) {
    EXPECT_EQ(record.topic, "t");
    EXPECT_EQ(record.key, "k");
    EXPECT_EQ(record.value, "v");
    EXPECT_EQ(record.attempt, 3u);
    delivery.fail("never");
  });
  const auto end = fake.deliver("p", {.key = "k", .value = "v", .attempt = 3})->result();
  EXPECT_EQ(end.outcome, FERMATA_FAILED);
  EXPECT_EQ(end.text, "never");
}

TEST_F(HostTest, ADeliveryIsPostponedWithItsReason) {
  add_processor([](const Record&, Delivery delivery) { delivery.postpone("target down"); });
  const auto end = fake.deliver("p", {})->result();
  EXPECT_EQ(end.outcome, FERMATA_POSTPONE);
  EXPECT_EQ(end.text, "target down");
}

TEST_F(HostTest, ADeliveryFinishesAsItsStatusSays) {
  Status status;
  add_processor([&](const Record&, Delivery delivery) { delivery.finish(status); });
  EXPECT_EQ(fake.deliver("p", {})->result().outcome, FERMATA_DONE);
  status = {Code::kUnavailable, "target down"};
  EXPECT_EQ(fake.deliver("p", {})->result().outcome, FERMATA_RETRY);
  status = {Code::kInvalidArgument, "bad record"};
  EXPECT_EQ(fake.deliver("p", {})->result().outcome, FERMATA_FAILED);
}

TEST_F(HostTest, ADroppedDeliveryAsksForARetry) {
  add_processor([](const Record&, Delivery) {});
  const auto end = fake.deliver("p", {})->result();
  EXPECT_EQ(end.outcome, FERMATA_RETRY);
  EXPECT_NE(end.text.find("dropped"), std::string::npos) << end.text;
}

TEST_F(HostTest, ADeliveryIsCompletedOnceHoweverOftenItIsMovedOrToldTo) {
  add_processor([](const Record&, Delivery delivery) {
    Delivery moved = std::move(delivery);
    moved.done();
    moved.fail("too late");
  });
  EXPECT_EQ(fake.deliver("p", {})->result().outcome, FERMATA_DONE);
  EXPECT_TRUE(fake.violations().empty());
}

TEST_F(HostTest, AssigningOverAnOpenDeliveryAsksForItsRetry) {
  std::vector<Delivery> kept;
  add_processor([&](const Record&, Delivery delivery) { kept.push_back(std::move(delivery)); });
  const auto first = fake.deliver("p", {});
  const auto second = fake.deliver("p", {});
  kept[0] = std::move(kept[1]);
  EXPECT_EQ(first->result().outcome, FERMATA_RETRY);
  EXPECT_FALSE(second->ended());
}

TEST_F(HostTest, ADeliveryMayBeCompletedFromAnotherThread) {
  std::thread worker;
  add_processor([&](const Record&, Delivery delivery) { worker = std::thread([kept = std::move(delivery)]() mutable { kept.done(); }); });
  const auto delivery = fake.deliver("p", {});
  EXPECT_TRUE(delivery->wait());
  worker.join();
  EXPECT_EQ(delivery->result().outcome, FERMATA_DONE);
}

TEST_F(HostTest, AnExceptionOutOfAProcessorIsARetryWithItsText) {
  add_processor([](const Record&, Delivery) { throw std::runtime_error("boom"); });
  const auto end = fake.deliver("p", {})->result();
  EXPECT_EQ(end.outcome, FERMATA_RETRY);
  EXPECT_EQ(end.text, "exception: boom");
  EXPECT_TRUE(fake.logged("processor 'p': exception: boom"));
}

TEST_F(HostTest, AnExceptionOfAnyTypeIsFenced) {
  add_processor([](const Record&, Delivery) { throw 7; });
  EXPECT_EQ(fake.deliver("p", {})->result().text, "exception of an unknown type");
}

TEST_F(HostTest, AnExceptionAfterCompletionChangesNothing) {
  add_processor([](const Record&, Delivery delivery) {
    delivery.done();
    throw std::runtime_error("late");
  });
  EXPECT_EQ(fake.deliver("p", {})->result().outcome, FERMATA_DONE);
  EXPECT_TRUE(fake.violations().empty());
}

TEST_F(HostTest, AnExceptionLeavesADeliveryThatWasPutAsideAlone) {
  std::vector<Delivery> kept;
  add_processor([&](const Record&, Delivery delivery) {
    kept.push_back(std::move(delivery));
    throw std::runtime_error("after putting it aside");
  });
  const auto delivery = fake.deliver("p", {});
  EXPECT_FALSE(delivery->ended());
  kept.front().done();
  EXPECT_EQ(delivery->result().outcome, FERMATA_DONE);
}

TEST_F(HostTest, AnotherDeliveryDroppedByTheSameExceptionEndsItself) {
  std::vector<Delivery> kept;
  add_processor([&](const Record&, Delivery delivery) {
    if (kept.empty()) return kept.push_back(std::move(delivery));
    const Delivery other = std::move(kept.front());
    throw std::runtime_error("boom");
  });
  const auto first = fake.deliver("p", {});
  const auto second = fake.deliver("p", {});
  EXPECT_NE(first->result().text.find("dropped"), std::string::npos) << first->result().text;
  EXPECT_EQ(second->result().text, "exception: boom");
}

TEST_F(HostTest, RefusesAProcessorWithoutAFunctionAndOneOfATakenName) {
  EXPECT_EQ(host.register_processor({.name = "p", .topic = "t", .location = "l", .process = {}}).code(), Code::kInvalidArgument);
  add_processor([](const Record&, Delivery delivery) { delivery.done(); });
  EXPECT_EQ(host.register_processor({.name = "p", .topic = "t", .location = "l", .process = [](const Record&, Delivery) {}}).code(),
            Code::kAlreadyExists);
  EXPECT_EQ(fake.deliver("p", {})->result().outcome, FERMATA_DONE);
}

// Batches

TEST_F(HostTest, PollsFromTheCheckpointThatTheLastPollReturned) {
  add_populator([](std::string_view checkpoint, Batch batch) {
    const std::string next = std::string(checkpoint) + "x";
    EXPECT_TRUE(batch.emit("k", next).is_ok());
    batch.finish(next, std::chrono::milliseconds(20));
  });
  fake.poll("j");
  EXPECT_EQ(fake.poll("j")->result().idle, std::chrono::milliseconds(20));
  EXPECT_EQ(fake.checkpoint("j"), "xx");
  ASSERT_EQ(fake.produced().size(), 2u);
  EXPECT_EQ(fake.produced()[1].value, "xx");
  EXPECT_EQ(fake.produced()[1].topic, "t");
}

TEST_F(HostTest, ADroppedBatchFailsAndKeepsTheCheckpoint) {
  fake.set_checkpoint("j", "old");
  add_populator([](std::string_view, Batch batch) { EXPECT_TRUE(batch.emit("k", "v").is_ok()); });
  fake.set_checkpoint("j", "old");
  EXPECT_EQ(fake.poll("j")->result().status.code(), Code::kInternal);
  EXPECT_EQ(fake.checkpoint("j"), "old");
  EXPECT_TRUE(fake.produced().empty());
}

TEST_F(HostTest, AnExceptionOutOfAPopulatorFailsTheBatchWithItsText) {
  add_populator([](std::string_view, Batch) { throw std::runtime_error("no journal"); });
  const auto end = fake.poll("j")->result();
  EXPECT_EQ(end.status.code(), Code::kInternal);
  EXPECT_EQ(end.status.message(), "exception: no journal");
}

TEST_F(HostTest, AFullBatchRefusesAndAFinishedOneTakesNothing) {
  add_populator([](std::string_view, Batch batch) {
    for (size_t i = 0; i < testing::FakeBatch::kMaxRecords; ++i) ASSERT_TRUE(batch.emit("k", "v").is_ok());
    EXPECT_EQ(batch.emit("k", "v").code(), Code::kResourceExhausted);
    batch.finish("next", std::chrono::milliseconds(-5));
    EXPECT_EQ(batch.emit("k", "v").code(), Code::kFailedPrecondition);
  });
  const auto end = fake.poll("j")->result();
  EXPECT_EQ(end.records.size(), testing::FakeBatch::kMaxRecords);
  EXPECT_EQ(end.idle.count(), 0);
}

TEST_F(HostTest, WakesItsPopulator) {
  add_populator([](std::string_view, Batch batch) { batch.finish({}); });
  host.wake_populator("j");
  EXPECT_EQ(fake.wakes("j"), 1u);
}

// Routes

TEST_F(HostTest, ARouteSeesTheRequestAndAnswers) {
  const auto status = host.add_route("GET", "objects/*", [](const HttpRequest& request, Exchange exchange) {
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.path, "objects/b/k");
    EXPECT_EQ(request.query, "a=1");
    EXPECT_EQ(request.body, "text");
    EXPECT_EQ(request.header("X-Thing"), "42");
    EXPECT_EQ(request.header("X-Other"), std::nullopt);
    exchange.respond(201, "text/plain", request.rest);
  });
  ASSERT_TRUE(status.is_ok());
  const auto answer = fake.request("GET", "objects/b/k", "text", "a=1", {{"x-thing", "42"}})->result();
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.content_type, "text/plain");
  EXPECT_EQ(answer.body, "b/k");
  EXPECT_EQ(fake.request("POST", "objects/b/k"), nullptr);
}

TEST_F(HostTest, ADroppedOrThrowingExchangeAnswers500WithoutTheText) {
  ASSERT_TRUE(host.add_route("GET", "dropped", [](const HttpRequest&, Exchange) {}).is_ok());
  ASSERT_TRUE(host.add_route("GET", "thrown", [](const HttpRequest&, Exchange) { throw std::runtime_error("secret"); }).is_ok());
  EXPECT_EQ(fake.request("GET", "dropped")->result().status, 500);
  const auto answer = fake.request("GET", "thrown")->result();
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  EXPECT_TRUE(fake.logged("route 'GET thrown': exception: secret"));
}

TEST_F(HostTest, TheHostsOwnRouteNamesAreTaken) {
  EXPECT_EQ(host.add_route("GET", "pause/here", [](const HttpRequest&, Exchange) {}).code(), Code::kAlreadyExists);
}

// Produce

TEST_F(HostTest, ProduceCallsBackOnceWhenTheRecordIsDurable) {
  std::vector<Status> results;
  ASSERT_TRUE(host.produce("t", "k", "v", [&](const Status& status) { results.push_back(status); }).is_ok());
  EXPECT_TRUE(results.empty());
  fake.run_ready();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].is_ok());
  EXPECT_EQ(fake.produced().at(0).key, "k");
}

TEST_F(HostTest, ProduceTellsTheCallbackWhyTheRecordWasGivenUp) {
  fake.set_produce_result({Code::kUnavailable, "broker down"});
  Status result;
  ASSERT_TRUE(host.produce("t", "k", "v", [&](const Status& status) { result = status; }).is_ok());
  fake.run_ready();
  EXPECT_EQ(result.text(), "UNAVAILABLE: broker down");
}

TEST_F(HostTest, ARefusedProduceFreesItsCallbackAndNeverCallsIt) {
  fake.refuse_produce({Code::kResourceExhausted, "full"});
  auto token = std::make_shared<int>();
  EXPECT_EQ(host.produce("t", "k", "v", [token](const Status&) { FAIL(); }).code(), Code::kResourceExhausted);
  EXPECT_EQ(token.use_count(), 1);
  fake.run_ready();
}

// Tasks

TEST_F(HostTest, RunsAPostedTaskOnceAndFreesIt) {
  auto token = std::make_shared<int>(0);
  host.post([token] { ++*token; });
  EXPECT_EQ(token.use_count(), 2);
  fake.run_ready();
  EXPECT_EQ(*token, 1);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(HostTest, RunsATimerWhenItIsDue) {
  int runs = 0;
  EXPECT_NE(host.post_after(std::chrono::seconds(5), [&] { ++runs; }), 0u);
  fake.advance(std::chrono::milliseconds(4'999));
  EXPECT_EQ(runs, 0);
  fake.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(runs, 1);
}

TEST_F(HostTest, ACancelledTimerIsFreedAtOnceAndDoesNotRun) {
  auto token = std::make_shared<int>(0);
  const auto id = host.post_after(std::chrono::seconds(5), [token] { ++*token; });
  EXPECT_TRUE(host.cancel(id));
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(host.cancel(id));
  fake.advance(std::chrono::seconds(10));
  EXPECT_EQ(*token, 0);
}

TEST_F(HostTest, ATimerThatRanCannotBeCancelled) {
  const auto id = host.post_after(std::chrono::milliseconds(-1), [] {});
  fake.run_ready();
  EXPECT_FALSE(host.cancel(id));
}

TEST_F(HostTest, AThrowingTaskIsLogged) {
  host.post([] { throw std::runtime_error("boom"); });
  fake.run_ready();
  EXPECT_TRUE(fake.logged("a task: exception: boom"));
}

TEST(Host, FreesDroppedTasksAndTheDeliveriesTheyHold) {
  FakeHost fake;
  auto token = std::make_shared<int>(0);
  std::shared_ptr<testing::FakeDelivery> delivery;
  {
    Host host(fake.raw());
    const auto status = host.register_processor({.name = "p", .topic = "t", .location = "l", .process = [&](const Record&, Delivery taken) {
                                                   auto kept = std::make_shared<Delivery>(std::move(taken));
                                                   host.post_after(std::chrono::hours(1), [kept, token] { kept->done(); });
                                                 }});
    ASSERT_TRUE(status.is_ok());
    delivery = fake.deliver("p", {});
    ASSERT_TRUE(host.produce("t", "k", "v", [token](const Status&) {}).is_ok());
    fake.drop_tasks();
    EXPECT_EQ(token.use_count(), 3);
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(delivery->result().outcome, FERMATA_RETRY);
}

TEST_F(HostTest, TasksMayBePostedAndCancelledFromManyThreads) {
  std::atomic<int> runs{0};
  std::atomic<int> cancelled{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        host.post([&] { ++runs; });
        if (host.cancel(host.post_after(std::chrono::milliseconds(0), [&] { ++runs; }))) ++cancelled;
      }
    });
  }
  while (runs + cancelled < 4'000) fake.run_ready();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(runs + cancelled, 4'000);
}

// Key-value store, logs, metrics, clock

TEST_F(HostTest, KeepsGetsScansAndRemovesEntries) {
  for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) ASSERT_TRUE(host.kv_put(key, "v").is_ok());
  ASSERT_TRUE(host.kv_remove("a/2").is_ok());
  ASSERT_TRUE(host.kv_remove("missing").is_ok());
  EXPECT_EQ(host.kv_get("a/1").value(), "v");
  EXPECT_EQ(host.kv_get("a/2").value(), std::nullopt);
  const auto all = host.kv_scan("a/", "", 10);
  ASSERT_TRUE(all.is_ok());
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[1].key, "a/3");
  EXPECT_EQ(host.kv_scan("a/", "a/1", 10)->size(), 1u);
  EXPECT_EQ(host.kv_scan("a/", "", 1)->size(), 1u);
}

TEST_F(HostTest, AStoreThatIsDownIsAnErrorAndNotAMissingKey) {
  fake.set_kv_status({Code::kUnavailable, "store down"});
  EXPECT_EQ(host.kv_put("k", "v").code(), Code::kUnavailable);
  EXPECT_EQ(host.kv_get("k").status().code(), Code::kUnavailable);
  EXPECT_EQ(host.kv_scan("", "", 1).status().message(), "store down");
}

TEST_F(HostTest, LogsAndMeasures) {
  EXPECT_TRUE(host.log_enabled(LogLevel::kDebug));
  host.warn("careful", "here");
  ASSERT_EQ(fake.logs().size(), 1u);
  EXPECT_EQ(fake.logs()[0].level, FERMATA_LOG_WARN);
  EXPECT_EQ(fake.logs()[0].location, "here");
  const auto counter = host.counter("things_total", "Things", {{"kind", "x"}});
  counter.record(2);
  host.counter("things_total", "Things", {{"kind", "x"}}).record(3);
  EXPECT_EQ(fake.metric("things_total", {{"kind", "x"}}), 5);
  EXPECT_EQ(fake.metric("things_total"), 0);
  host.gauge("things_total", "of another kind").record(9);
  EXPECT_EQ(fake.metric("things_total"), 0);
}

TEST_F(HostTest, ReadsTheHostsClock) {
  const auto wall = host.now();
  const auto steady = host.monotonic();
  fake.advance(std::chrono::seconds(3));
  EXPECT_EQ(host.now() - wall, std::chrono::seconds(3));
  EXPECT_EQ(host.monotonic() - steady, std::chrono::seconds(3));
}

// Hosts that offer less

TEST(Host, AnswersForInterfacesThatTheHostDoesNotOffer) {
  FakeHost fake;
  for (const char* name : {FERMATA_LOG_INTERFACE, FERMATA_CLOCK_INTERFACE, FERMATA_METRICS_INTERFACE, FERMATA_QUEUE_INTERFACE,
                           FERMATA_POPULATOR_INTERFACE, FERMATA_KV_INTERFACE, FERMATA_EXECUTOR_INTERFACE, FERMATA_HTTP_INTERFACE})
    fake.withhold(name);
  Host host(fake.raw());
  host.info("unheard");
  host.counter("c", "h").record(1);
  host.wake_populator("j");
  auto token = std::make_shared<int>();
  host.post([token] { FAIL(); });
  EXPECT_EQ(host.post_after(std::chrono::seconds(1), [] {}), 0u);
  EXPECT_FALSE(host.cancel(0));
  EXPECT_GT(host.now().time_since_epoch().count(), 0);
  const auto refused = host.register_processor({.name = "p", .topic = "t", .location = "l", .process = [](const Record&, Delivery) {}});
  EXPECT_EQ(refused.code(), Code::kUnimplemented);
  EXPECT_NE(refused.message().find(FERMATA_QUEUE_INTERFACE), std::string::npos) << refused.message();
  EXPECT_EQ(host.register_populator({.name = "j", .topic = "t", .poll = [](std::string_view, Batch) {}}).code(), Code::kUnimplemented);
  EXPECT_EQ(host.add_route("GET", "x", [](const HttpRequest&, Exchange) {}).code(), Code::kUnimplemented);
  EXPECT_EQ(host.produce("t", "k", "v", [](const Status&) { FAIL(); }).code(), Code::kUnimplemented);
  EXPECT_EQ(host.kv_put("k", "v").code(), Code::kUnimplemented);
  EXPECT_EQ(host.kv_get("k").status().code(), Code::kUnimplemented);
  EXPECT_TRUE(fake.logs().empty());
}

TEST(Host, TakesTheMembersThatAnOlderHostsTableHasAndNoMore) {
  static fermata_executor_api older{};
  older.struct_size = static_cast<uint32_t>(offsetof(fermata_executor_api, post_after));
  older.post = [](void*, fermata_task task, void* ctx) { task(ctx); };
  older.post_after = [](void*, uint64_t, fermata_task, void*) -> uint64_t { return 99; };
  const fermata_host raw{sizeof(fermata_host), FERMATA_ABI_MAJOR, FERMATA_ABI_MINOR, nullptr, [](void*, const char* name) -> const void* {
                           return std::string_view(name) == FERMATA_EXECUTOR_INTERFACE ? &older : nullptr;
                         }};
  Host host(&raw);
  bool ran = false;
  host.post([&] { ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_EQ(host.post_after(std::chrono::seconds(1), [] {}), 0u);
}

}  // namespace
}  // namespace fermata::sdk
