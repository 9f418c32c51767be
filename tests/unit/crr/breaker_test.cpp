#include "replication/breaker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr::testing {
namespace {

using ::testing::IsEmpty;

TEST(Breaker, OpensWhenTooManyOfTheLastTriesFailedAndSaysWhy) {
  Breaker breaker(0.5);
  for (int i = 0; i < 5; ++i) breaker.succeeded();
  for (int i = 0; i < 4; ++i) breaker.failed("no route");
  EXPECT_THAT(breaker.why_open(), IsEmpty()) << "4 of 9";
  breaker.failed("no route");
  EXPECT_EQ(breaker.why_open(), "target-unreachable: no route");
}

TEST(Breaker, ConcludesNothingFromAFewTries) {
  Breaker breaker(0.1);
  for (int i = 0; i < 4; ++i) breaker.failed("x");
  EXPECT_THAT(breaker.why_open(), IsEmpty());
  breaker.failed("x");
  EXPECT_FALSE(breaker.why_open().empty());
}

TEST(Breaker, ForgetsWhatIsLongAgo) {
  Breaker breaker(1.0);
  for (int i = 0; i < 5; ++i) breaker.succeeded();
  for (std::size_t i = 0; i + 1 < Breaker::kWindow; ++i) breaker.failed("x");
  EXPECT_THAT(breaker.why_open(), IsEmpty()) << "one success is still within the window";
  breaker.failed("x");
  EXPECT_FALSE(breaker.why_open().empty());
}

TEST(Breaker, StaysOpenUntilItIsClosedWhateverEndsMeanwhile) {
  Breaker breaker(0.5);
  for (int i = 0; i < 5; ++i) breaker.failed("x");
  for (int i = 0; i < 30; ++i) breaker.succeeded();
  EXPECT_FALSE(breaker.why_open().empty());
  EXPECT_TRUE(breaker.close());
  EXPECT_FALSE(breaker.close());
  EXPECT_THAT(breaker.why_open(), IsEmpty());
}

}  // namespace
}  // namespace fermata::crr::testing
