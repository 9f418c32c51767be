// A slow or lost store: a hint does not wait behind what is merely shown, and who cannot answer is not asked.
#include "fixture.hpp"

#include <functional>

namespace fermata::control {
namespace {

constexpr int kServices = 20;
constexpr int kLocations = 2'000;

/// Asks the test whenever a gate moves.
class AskingDriver final : public ServiceDriver {
 public:
  void apply(std::string_view location, bool paused) override {
    if (on_apply) on_apply(location, paused);
  }
  LocationObservation observe(std::string_view) const override { return {.state = ObservedState::kRunning, .processed = processed}; }
  void on_change(std::function<void(std::string_view)>) override {}

  std::function<void(std::string_view, bool)> on_apply;
  std::int64_t processed = 0;
};

std::vector<LocationSpec> many_locations() {
  std::vector<LocationSpec> locations{{"paris"}};
  for (int i = 1; i < kLocations; ++i) locations.push_back({"l" + std::to_string(i)});
  return locations;
}

class LatencyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    one_.start(crr({{"paris"}}));
    for (int i = 0; i < kServices; ++i) {
      const std::string name = "s" + std::to_string(i);
      ASSERT_TRUE(one_.plane->add_service({name, name, name, false, {{"rome"}}}, &asking_));
    }
    ASSERT_TRUE(one_.plane->add_service(big(), &asking_));
    two_.start();
    cluster_.executor.advance(5s);
    cluster_.settle();
  }
  static ServiceSpec big() { return {"big", "big", "big", false, many_locations()}; }
  int calls() const { return one_.store->gets + one_.store->lists + one_.store->writes; }
  // Another node stores a pause and says so.
  void pause_elsewhere() {
    testing::FakeStateStore(cluster_.tree, cluster_.executor).force("/backbeat/big/state/paris", R"({"paused":true})");
    EXPECT_TRUE(testing::FakeFanout(cluster_.wire, cluster_.executor).publish("big-paris", R"({"action":"pauseService","revision":1})"));
    asking_.on_apply = [this, before = calls()](std::string_view location, bool paused) {
      if (location == "paris" && paused && calls_until_paused_ < 0) calls_until_paused_ = calls() - before;
    };
  }

  Cluster cluster_;
  AskingDriver asking_;  // outlives the nodes
  Node one_{cluster_, "n1"};
  Node two_{cluster_, "n2"};
  int calls_until_paused_ = -1;  // of the store, by node one, from when it could hear until its gate was closed
};

TEST_F(LatencyTest, AHintWaitsNotForTheObservedStatesOfManyLocations) {
  one_.store->fake.before_next_write([this] { pause_elsewhere(); });
  const int writes = one_.store->writes;
  asking_.processed = 7;  // so that all is told with the next counts
  cluster_.executor.advance(1'100ms);
  EXPECT_GE(one_.store->writes - writes, kServices + kLocations / 256) << "what follows would prove nothing";
  EXPECT_GE(calls_until_paused_, 0);
  EXPECT_LE(calls_until_paused_, 4);
}

TEST_F(LatencyTest, AHintWaitsNotForAPassThroughAllServices) {
  const int lists = one_.store->lists;
  for (const auto& subscriber : cluster_.wire->subscribers) subscriber->listener.on_subscribed();
  pause_elsewhere();
  cluster_.settle();
  EXPECT_GE(one_.store->lists - lists + one_.store->gets, kServices) << "what follows would prove nothing";
  EXPECT_GE(calls_until_paused_, 0);
  EXPECT_LE(calls_until_paused_, 4);
}

TEST_F(LatencyTest, AStoreThatIsLostIsNotAskedAgainAndAgain) {
  one_.store->fake.set_down("no quorum");
  cluster_.executor.advance(1s);
  const int before = calls();
  const auto timers = cluster_.executor.pending_timers();
  asking_.processed = 9;
  cluster_.executor.advance(10min);
  EXPECT_EQ(calls(), before) << "each would keep the control thread waiting for seconds";
  EXPECT_LE(cluster_.executor.pending_timers(), timers + 2 * kServices + 4);
}

}  // namespace
}  // namespace fermata::control
