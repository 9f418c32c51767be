#include "contract/contract.hpp"
#include "contract/eventually.hpp"

#include <atomic>
#include <cstdint>

namespace fermata::testing {
namespace {

Leases::Events recorder(Calls<std::uint64_t>& granted) {
  return {[&](std::uint64_t token) { granted.add(token); }, [] {}};
}

TEST_P(LeasesContract, TheOnlyCampaignIsGranted) {
  Calls<std::uint64_t> granted;
  const auto campaign = port().campaign("populator/crr/journal", recorder(granted));
  ASSERT_TRUE(granted.reach(1));
  EXPECT_TRUE(eventually([&] { return !port().holder("populator/crr/journal")->empty(); }));
}

TEST_P(LeasesContract, TokensGrowWithEachGrantAndOverRestarts) {
  std::uint64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    Calls<std::uint64_t> granted;
    auto campaign = port().campaign("a", recorder(granted));
    ASSERT_TRUE(granted.reach(1));
    EXPECT_GT(granted.all().back(), last);
    last = granted.all().back();
    campaign.reset();
    if (i % 2 == 1) restart();
  }
}

TEST_P(LeasesExclusion, ASecondCampaignWaitsForTheFirst) {
  Calls<std::uint64_t> first;
  Calls<std::uint64_t> second;
  auto holding = port().campaign("a", recorder(first));
  ASSERT_TRUE(first.reach(1));
  const auto waiting = port().campaign("a", recorder(second));
  Calls<std::uint64_t> other;
  const auto unrelated = port().campaign("b", recorder(other));
  ASSERT_TRUE(other.reach(1));
  EXPECT_EQ(second.count(), 0u);
  holding.reset();
  ASSERT_TRUE(second.reach(1));
  EXPECT_GT(second.all().back(), first.all().back());
}

TEST_P(LeasesContract, NothingIsCalledAfterACampaignsEnd) {
  std::atomic<bool> ended{false};
  std::atomic<bool> late{false};
  for (int i = 0; i < 200; ++i) {
    ended = false;
    auto campaign = port().campaign("a", {[&](std::uint64_t) {
                                            if (ended) late = true;
                                          },
                                          [] {}});
    campaign.reset();
    ended = true;
  }
  EXPECT_FALSE(late);
}

}  // namespace
}  // namespace fermata::testing
