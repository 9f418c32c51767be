#include "pipeline/gate.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace fermata::pipeline {
namespace {

TEST(Gate, StartsClosedAndSaysWhetherItChanged) {
  Gate gate;
  EXPECT_FALSE(gate.try_enter());
  EXPECT_FALSE(gate.set(false));
  EXPECT_TRUE(gate.set(true));
  EXPECT_FALSE(gate.set(true));
  EXPECT_TRUE(gate.try_enter());
  gate.leave();
}

TEST(Gate, ClosingWaitsForTheCallThatIsBeingMade) {
  Gate gate;
  gate.set(true);
  ASSERT_TRUE(gate.try_enter());
  std::atomic<bool> closed{false};
  const auto begin = std::chrono::steady_clock::now();
  std::thread closer([&] {
    gate.set(false);
    closed = true;
  });
  while (gate.is_open()) std::this_thread::yield();
  const bool waits = !closed;
  EXPECT_TRUE(waits || std::chrono::steady_clock::now() - begin >= Gate::kPatience);
  gate.leave();
  closer.join();
  EXPECT_TRUE(closed);
  EXPECT_FALSE(gate.try_enter());
}

TEST(Gate, ClosingWaitsForTheSecondCallAlsoWhenTheFirstLeavesAfterItBegan) {
  Gate gate;
  gate.set(true);
  ASSERT_TRUE(gate.try_enter());
  std::atomic<bool> entered{false};
  std::atomic<bool> may_leave{false};
  std::thread second([&] {
    entered = gate.try_enter();
    while (!may_leave) std::this_thread::yield();
    gate.leave();
  });
  while (!entered) std::this_thread::yield();
  gate.leave();
  std::atomic<bool> closed{false};
  std::thread closer([&] {
    const auto begin = std::chrono::steady_clock::now();
    gate.set(false);
    EXPECT_TRUE(may_leave || std::chrono::steady_clock::now() - begin >= Gate::kPatience) << "closing did not wait";
    closed = true;
  });
  while (gate.is_open()) std::this_thread::yield();
  // Without the wait, closing returns within this time, which is far below the gate's patience.
  const auto enough = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  while (!closed && std::chrono::steady_clock::now() < enough) std::this_thread::yield();
  may_leave = true;
  second.join();
  closer.join();
}

TEST(Gate, CanBeClosedFromInside) {
  Gate gate;
  gate.set(true);
  ASSERT_TRUE(gate.try_enter());
  EXPECT_TRUE(gate.set(false));
  gate.leave();
  EXPECT_FALSE(gate.try_enter());
}

TEST(Gate, ClosingDoesNotWaitForeverForACallThatHangs) {
  Gate gate;
  gate.set(true);
  ASSERT_TRUE(gate.try_enter());
  std::thread closer([&] { EXPECT_TRUE(gate.set(false)); });
  closer.join();
  EXPECT_FALSE(gate.is_open());
  gate.leave();
}

}  // namespace
}  // namespace fermata::pipeline
