// Plugins that misbehave while they run, and the good one that does not.
#include "plugin_abi/zoo_test.hpp"

#include <future>

namespace fermata::testing {
namespace {

using Running = Zoo;
using ::testing::Not;
constexpr std::chrono::seconds kStop{10};

TEST_F(Running, GoodPluginIsPausedAndResumedAndLosesNothing) {
  const auto service = open("good");
  service->start();
  service->apply("a", true);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kPaused));
  for (int i = 0; i < 100; ++i) house.produce("zoo", "key" + std::to_string(i), "value");
  EXPECT_EQ(service->observe("a").processed, 0);
  service->apply("a", false);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kRunning));
  EXPECT_TRUE(eventually([&] { return service->observe("a").processed == 100; }));
  EXPECT_EQ(service->view().state, "running");
  EXPECT_TRUE(service->stop(kStop).is_ok());
  EXPECT_EQ(service->view().state, "stopped");
}

TEST_F(Running, LocationThatNobodySpokeOfStaysStartingWithAClosedGate) {
  const auto service = open("good");
  service->start();
  service->apply("b", true);
  ASSERT_TRUE(reaches(*service, "b", ObservedState::kPaused));
  EXPECT_EQ(service->observe("a").state, ObservedState::kStarting);
  EXPECT_FALSE(service->pipelines().counts("a").gate_open);
}

TEST_F(Running, LastOfManyApplyCallsWins) {
  const auto service = open("good");
  service->start();
  for (int round = 0; round < 200; ++round) {
    auto other = std::async(std::launch::async, [&] { service->apply("a", false); });
    service->apply("a", true);
    other.get();
    service->apply("a", true);
    EXPECT_FALSE(service->pipelines().counts("a").gate_open) << "open although apply(paused) has returned";
  }
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kPaused));
}

TEST_F(Running, TwoInstancesOfOnePluginLiveSideBySide) {
  const auto first = open("good");
  const auto second = open("good");
  first->start();
  second->start();
  first->apply("a", true);
  second->apply("a", false);
  EXPECT_TRUE(reaches(*first, "a", ObservedState::kPaused));
  EXPECT_TRUE(reaches(*second, "a", ObservedState::kRunning));
}

TEST_F(Running, ThrowingProcessIsARetryWithItsWords) {
  const auto service = open("throwing_process");
  service->start();
  service->apply("a", false);
  house.produce("zoo", "key", "value");
  EXPECT_TRUE(eventually([&] { return service->observe("a").processed == 1; }));
  EXPECT_THAT(service->observe("a").last_error, HasSubstr("process's own words"));
  EXPECT_TRUE(house.logs("process's own words"));
}

TEST_F(Running, SecondCompletionIsIgnoredAndLogged) {
  const auto service = open("double_complete");
  service->start();
  service->apply("a", false);
  for (int i = 0; i < 50; ++i) house.produce("zoo", "key" + std::to_string(i), "value");
  EXPECT_TRUE(eventually([&] { return service->observe("a").processed == 50; }));
  EXPECT_EQ(service->observe("a").failed, 0);
  EXPECT_TRUE(service->stop(kStop).is_ok());
  EXPECT_TRUE(house.logs("completed a delivery that is not open"));
}

TEST_F(Running, DroppedDeliveryShowsAsInFlightAndDoesNotHoldUpStop) {
  const auto service = open("drops_delivery");
  service->start();
  service->apply("a", false);
  house.produce("zoo", "key", "value");
  ASSERT_TRUE(eventually([&] { return service->observe("a").in_flight == 1; }));
  service->apply("a", true);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kPausing));
  const auto stopped = service->stop(std::chrono::seconds(10));
  EXPECT_EQ(stopped.code(), Code::kDeadlineExceeded) << stopped.text();
  EXPECT_EQ(service->view().state, "stopped");
}

TEST_F(Running, SlowPauseIsShownAsFailedUntilItReturns) {
  const auto service = open("hanging_pause");
  service->start();
  service->apply("a", true);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kFailed));
  EXPECT_THAT(service->observe("a").message, HasSubstr("plugin 'hanging_pause': pause of location 'a'"));
  EXPECT_FALSE(service->pipelines().counts("a").gate_open) << "the host's gate does not wait for the plugin";
  service->apply("b", true);
  house.release();
  EXPECT_TRUE(reaches(*service, "a", ObservedState::kPaused));
  EXPECT_TRUE(reaches(*service, "b", ObservedState::kPaused)) << "others go on once the hook has returned";
  EXPECT_THAT(house.metrics.text(), HasSubstr("fermata_plugin_hook_overruns_total{service=\"zoo\"}"));
  EXPECT_THAT(house.metrics.text(), Not(HasSubstr("fermata_plugin_hook_overruns_total{service=\"zoo\"} 0")));
}

TEST_F(Running, PauseThatNeverReturnsFailsTheWholeInstanceAndStopLeavesItBehind) {
  const auto service = open("hanging_pause");
  service->start();
  service->apply("b", true);
  ASSERT_TRUE(reaches(*service, "b", ObservedState::kPaused));
  service->apply("a", true);
  ASSERT_TRUE(reaches(*service, "b", ObservedState::kFailed));
  EXPECT_EQ(service->view().state, "failed");
  EXPECT_THAT(service->view().error, AllOf(HasSubstr("has not returned for 500 ms"), HasSubstr("restart the host")));

  const auto stopped = service->stop(std::chrono::milliseconds(500));
  EXPECT_EQ(stopped.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(house.host->stuck(), 1u);
  house.release();
}

TEST_F(Running, ThrowingPauseIsShownWithItsWordsAndTheGateIsClosed) {
  const auto service = open("throwing_pause");
  service->start();
  service->apply("a", true);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kFailed));
  EXPECT_THAT(service->observe("a").message, HasSubstr("pause threw an exception: pause's own words"));
  EXPECT_FALSE(service->pipelines().counts("a").gate_open);
}

TEST_F(Running, GateStaysClosedUntilThePluginAgreesToResume) {
  const auto service = open("failing_resume");
  service->start();
  service->apply("a", false);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kFailed));
  EXPECT_FALSE(service->pipelines().counts("a").gate_open);
  house.release();
  EXPECT_TRUE(reaches(*service, "a", ObservedState::kRunning)) << "a failed hook is called again";
  EXPECT_TRUE(service->pipelines().counts("a").gate_open);
}

TEST_F(Running, StartIsRepeatedWhileThePluginIsUnavailable) {
  const auto service = open("unavailable_start");
  service->start();
  service->apply("a", false);
  ASSERT_TRUE(eventually([&] { return !service->observe("a").message.empty(); }));
  EXPECT_EQ(service->observe("a").state, ObservedState::kStarting);
  EXPECT_EQ(service->view().state, "starting");
  house.release();
  EXPECT_TRUE(reaches(*service, "a", ObservedState::kRunning));
}

TEST_F(Running, StatusOfThePluginIsShown) {
  const auto service = open("degraded_status");
  service->start();
  service->apply("a", false);
  service->apply("b", true);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kDegraded));
  EXPECT_EQ(service->observe("a").message, "the target is slow");
  EXPECT_EQ(service->observe("a").details_json, R"({"target":"b"})");
  EXPECT_TRUE(reaches(*service, "b", ObservedState::kPaused)) << "a paused location is paused, healthy or not";
}

TEST_F(Running, ChangesAreToldToTheListener) {
  std::atomic<int> told = 0;
  const auto service = open("good");
  service->on_change([&](std::string_view location) { told += location == "a" ? 1 : 0; });
  service->start();
  ASSERT_TRUE(eventually([&] { return told > 0; }));
  service->on_change({});
  const int before = told;
  service->apply("a", true);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kPaused));
  EXPECT_EQ(told, before) << "told after it was unset";
}

TEST_F(Running, TenThousandLocationsPauseAndResumeWithoutAThreadEach) {
  auto extension = House::extension("good.so");
  for (int i = 0; i < 10'000; ++i) {
    extension.locations.emplace_back();
    extension.locations.back().name = "l" + std::to_string(i);
    extension.locations.back().json = R"({"name":"l)" + std::to_string(i) + R"("})";
  }
  auto opened = house.host->open(extension);
  ASSERT_TRUE(opened.is_ok()) << opened.status().text();
  auto& service = **opened;
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
  };
  const auto before = threads();
  service.start();
  for (const bool paused : {true, false, true}) {
    for (const auto& location : extension.locations) service.apply(location.name, paused);
    const auto wanted = paused ? ObservedState::kPaused : ObservedState::kRunning;
    for (const auto& location : extension.locations) ASSERT_TRUE(reaches(service, location.name, wanted));
  }
  EXPECT_LE(threads(), before);
}

TEST_F(Running, StopIsBoundedAndRepeatable) {
  const auto service = open("good");
  service->start();
  EXPECT_TRUE(service->stop(kStop).is_ok());
  EXPECT_TRUE(service->stop(kStop).is_ok());
  service->apply("a", false);
  EXPECT_FALSE(service->pipelines().counts("a").gate_open) << "nothing opens after stop";
}

}  // namespace
}  // namespace fermata::testing
