#include "pipeline/offset_ledger.hpp"

#include <gtest/gtest.h>

namespace fermata::pipeline {
namespace {

TEST(OffsetLedger, CommitsNothingBeforeTheFirstRecordIsDone) {
  OffsetLedger ledger;
  EXPECT_FALSE(ledger.take_commit());
  ledger.add(7);
  ledger.add(8);
  EXPECT_FALSE(ledger.take_commit());
  ledger.done(8);
  EXPECT_FALSE(ledger.has_commit());
  EXPECT_FALSE(ledger.take_commit());
}

TEST(OffsetLedger, CommitsUpToTheFirstRecordNotDone) {
  OffsetLedger ledger;
  for (int offset = 0; offset < 5; ++offset) ledger.add(offset);
  ledger.done(1);
  ledger.done(0);
  ledger.done(3);
  EXPECT_EQ(ledger.take_commit(), 2);
  EXPECT_FALSE(ledger.take_commit());
  ledger.done(2);
  EXPECT_EQ(ledger.take_commit(), 4);
  ledger.done(4);
  EXPECT_EQ(ledger.take_commit(), 5);
  EXPECT_EQ(ledger.undone(), 0u);
}

TEST(OffsetLedger, PassesOverGaps) {
  OffsetLedger ledger;
  for (const int offset : {10, 11, 20, 35, 36}) ledger.add(offset);
  ledger.done(20);
  ledger.done(36);
  ledger.done(10);
  EXPECT_EQ(ledger.take_commit(), 11);
  ledger.done(11);
  EXPECT_EQ(ledger.take_commit(), 35);
  ledger.done(35);
  EXPECT_EQ(ledger.take_commit(), 37);
}

TEST(OffsetLedger, RefusesARecordThatComesAgain) {
  OffsetLedger ledger;
  EXPECT_TRUE(ledger.add(3));
  EXPECT_FALSE(ledger.add(3));
  EXPECT_FALSE(ledger.add(2));
  EXPECT_TRUE(ledger.add(4));
  EXPECT_EQ(ledger.undone(), 2u);
}

TEST(OffsetLedger, CountsARecordThatIsDoneTwiceOnce) {
  OffsetLedger ledger;
  for (int offset = 0; offset < 3; ++offset) ledger.add(offset);
  ledger.done(1);
  ledger.done(1);
  EXPECT_EQ(ledger.undone(), 2u);
  ledger.done(0);
  ledger.done(0);
  EXPECT_EQ(ledger.undone(), 1u);
  EXPECT_EQ(ledger.take_commit(), 2);
}

TEST(OffsetLedger, IsFullWhenOneStuckRecordHasTooManyBehindIt) {
  OffsetLedger ledger;
  for (std::int64_t offset = 0; !ledger.full(); ++offset) {
    ledger.add(offset);
    if (offset > 0) ledger.done(offset);
    ASSERT_LE(offset, static_cast<std::int64_t>(OffsetLedger::kMaxSpan));
  }
  ledger.done(0);
  EXPECT_FALSE(ledger.full());
}

}  // namespace
}  // namespace fermata::pipeline
