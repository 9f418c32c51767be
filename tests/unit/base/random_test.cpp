#include "base/random.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fermata {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLimitAndIsNeverBelowItsHalf) {
  for (std::uint32_t attempt = 1; attempt < 100; ++attempt) {
    const std::int64_t full = attempt < 8 ? std::min<std::int64_t>(100LL << (attempt - 1), 5'000) : 5'000;
    const milliseconds delay = backoff(attempt, milliseconds(100), milliseconds(5'000));
    EXPECT_GE(delay.count(), full / 2) << attempt;
    EXPECT_LE(delay.count(), full) << attempt;
  }
}

TEST(Backoff, SpreadsThoseWhoFailedTogether) {
  std::set<std::int64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(backoff(10, milliseconds(1'000), milliseconds(60'000)).count());
  EXPECT_GT(seen.size(), 50u);
}

TEST(RandomHex, HasTheLengthAskedForAndDoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_hex(8));
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(seen.begin()->size(), 16u);
}

}  // namespace
}  // namespace fermata
