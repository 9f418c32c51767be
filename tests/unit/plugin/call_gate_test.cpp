#include "plugin/call_gate.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

namespace fermata::plugin {
namespace {

using std::chrono::milliseconds;

TEST(CallGate, PassesNestedCallsUntilItIsClosed) {
  CallGate gate;
  {
    const CallGate::Pass outer(gate);
    const CallGate::Pass inner(gate);
    EXPECT_TRUE(outer);
    EXPECT_TRUE(inner);
  }
  EXPECT_FALSE(gate.at_rest());
  EXPECT_TRUE(gate.close(milliseconds(0)));
  EXPECT_TRUE(gate.at_rest());
  EXPECT_FALSE(CallGate::Pass(gate));
}

TEST(CallGate, CloseGivesUpOnACallThatDoesNotLeave) {
  CallGate gate;
  const CallGate::Pass pass(gate);
  EXPECT_FALSE(gate.close(milliseconds(1)));
  EXPECT_FALSE(gate.at_rest());
}

TEST(CallGate, CloseWaitsForTheLastCallOfManyThreads) {
  for (int round = 0; round < 100; ++round) {
    auto gate = std::make_unique<CallGate>();
    std::atomic<int> inside = 0;
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 4; ++i) {
      callers.push_back(std::async(std::launch::async, [&gate = *gate, &inside] {
        while (true) {
          const CallGate::Pass pass(gate);
          if (!pass) return;
          ++inside;
          --inside;
        }
      }));
    }
    ASSERT_TRUE(gate->close(std::chrono::seconds(20)));
    EXPECT_EQ(inside, 0);
    callers.clear();
  }
}

}  // namespace
}  // namespace fermata::plugin
