#include "control/location_view.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace fermata::control {
namespace {

using S = ObservedState;

NodeVote vote(S state, bool heard = true) { return {"n", {.state = state}, heard}; }

TEST(Aggregate, ShowsTheWorstFirst) {
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kPaused), vote(S::kFailed), vote(S::kDegraded)}), S::kFailed);
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kPausing), vote(S::kDegraded)}), S::kDegraded);
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kStarting), vote(S::kPausing)}), S::kPausing);
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kStarting), vote(S::kPaused)}), S::kStarting);
  EXPECT_EQ(aggregate(false, false, std::vector{vote(S::kRunning)}), S::kFailed);
}

TEST(Aggregate, NeedsAllForPausedAndForRunning) {
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kPaused), vote(S::kPaused)}), S::kPaused);
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kPaused), vote(S::kRunning)}), S::kPausing);
  EXPECT_EQ(aggregate(false, true, std::vector{vote(S::kRunning), vote(S::kRunning)}), S::kRunning);
  EXPECT_EQ(aggregate(false, true, std::vector{vote(S::kRunning), vote(S::kPaused)}), S::kStarting);
}

TEST(Aggregate, ANodeThatHasNotHeardIsOnItsWay) {
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kPaused), vote(S::kPaused, false)}), S::kPausing);
  EXPECT_EQ(aggregate(false, true, std::vector{vote(S::kRunning), vote(S::kRunning, false)}), S::kStarting);
  EXPECT_EQ(aggregate(true, true, std::vector{vote(S::kFailed, false)}), S::kFailed);
}

TEST(Converged, MeansEveryNodeAndNoDoubt) {
  EXPECT_TRUE(is_converged(true, true, std::vector{vote(S::kPaused)}));
  EXPECT_TRUE(is_converged(false, true, std::vector{vote(S::kRunning), vote(S::kDegraded)}));
  EXPECT_FALSE(is_converged(true, true, std::vector{vote(S::kPaused), vote(S::kDegraded)}));
  EXPECT_FALSE(is_converged(true, true, std::vector{vote(S::kPaused, false)}));
  EXPECT_FALSE(is_converged(true, false, std::vector{vote(S::kPaused)}));
}

}  // namespace
}  // namespace fermata::control
