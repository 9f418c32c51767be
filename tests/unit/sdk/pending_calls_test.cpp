#include <fermata/sdk/detail/pending_calls.hpp>

#include <gtest/gtest.h>

namespace fermata::sdk::detail {
namespace {

TEST(PendingCalls, GivesAClosureOutOnce) {
  PendingCalls<> calls;
  auto* call = calls.add(nullptr, [] {});
  EXPECT_EQ(calls.size(), 1u);
  EXPECT_TRUE(PendingCalls<>::take(call));
  EXPECT_EQ(calls.size(), 0u);
}

TEST(PendingCalls, ATimerNamedAfterItRanIsForgotten) {
  PendingCalls<> calls;
  auto* call = calls.add(nullptr, [] {});
  const auto serial = call->serial;
  PendingCalls<>::take(call);
  calls.name_timer(serial, 5);
  EXPECT_FALSE(calls.take_timer(5));
}

TEST(PendingCalls, ATimerIsTakenByItsId) {
  PendingCalls<> calls;
  calls.name_timer(calls.add(nullptr, [] {})->serial, 5);
  EXPECT_FALSE(calls.take_timer(6));
  EXPECT_TRUE(calls.take_timer(5));
  EXPECT_FALSE(calls.take_timer(5));
  EXPECT_EQ(calls.size(), 0u);
}

}  // namespace
}  // namespace fermata::sdk::detail
