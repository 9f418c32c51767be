#include "pipeline/key_lanes.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fermata::pipeline {
namespace {

QueueRecord record(std::string key, std::int64_t offset, std::int32_t partition = 0) { return {partition, offset, 0, std::move(key), "v"}; }

TEST(KeyLanes, HandsOutOneRecordOfAKeyAtATime) {
  KeyLanes lanes;
  lanes.add(record("a", 0));
  lanes.add(record("a", 1));
  Entry& first = lanes.next();
  EXPECT_EQ(first.record.offset, 0);
  EXPECT_FALSE(lanes.has_ready());
  lanes.finish(first);
  EXPECT_EQ(lanes.next().record.offset, 1);
}

TEST(KeyLanes, LetsKeysTakeTurns) {
  KeyLanes lanes;
  for (int offset = 0; offset < 3; ++offset) lanes.add(record("busy", offset));
  lanes.add(record("quiet", 3));
  lanes.finish(lanes.next());
  EXPECT_EQ(lanes.next().record.key, "quiet");
  EXPECT_EQ(lanes.next().record.key, "busy");
}

TEST(KeyLanes, HoldsAKeyUntilItIsReleased) {
  KeyLanes lanes;
  lanes.add(record("a", 0));
  lanes.add(record("a", 1));
  lanes.add(record("b", 2));
  Entry& held = lanes.next();
  lanes.hold(held);
  EXPECT_EQ(lanes.next().record.key, "b");
  EXPECT_FALSE(lanes.has_ready());
  lanes.release(held);
  Entry& again = lanes.next();
  EXPECT_EQ(again.record.offset, 0);
  EXPECT_EQ(again.deliveries, 2u);
}

TEST(KeyLanes, CountsWhatWaitsAndItsBytes) {
  KeyLanes lanes;
  lanes.add(record("abc", 0));
  lanes.add(record("abc", 1));
  EXPECT_EQ(lanes.waiting(), 2u);
  EXPECT_EQ(lanes.waiting_bytes(), 8u);
  Entry& entry = lanes.next();
  EXPECT_EQ(lanes.waiting(), 1u);
  lanes.hold(entry);
  EXPECT_EQ(lanes.waiting_bytes(), 8u);
}

TEST(KeyLanes, ForgetsARevokedPartitionButForWhatIsInFlight) {
  KeyLanes lanes;
  lanes.add(record("flying", 0, 1));
  lanes.add(record("flying", 1, 1));
  lanes.add(record("held", 2, 1));
  lanes.add(record("held", 3, 1));
  lanes.add(record("waiting", 4, 1));
  lanes.add(record("other", 5, 2));
  Entry& flying = lanes.next();
  Entry& held = lanes.next();
  lanes.hold(held);
  int dropped = 0;
  lanes.revoke(1, [&](const Entry&) { ++dropped; });
  EXPECT_EQ(dropped, 4);
  EXPECT_TRUE(flying.revoked);
  EXPECT_EQ(lanes.waiting(), 1u);
  EXPECT_EQ(lanes.next().record.key, "other");
  EXPECT_FALSE(lanes.has_ready());
  lanes.finish(flying);
  EXPECT_FALSE(lanes.has_ready());
}

TEST(KeyLanes, DeliversARecordThatComesBackOnlyAfterItsFirstDeliveryEnded) {
  KeyLanes lanes;
  lanes.add(record("a", 0, 1));
  Entry& first = lanes.next();
  lanes.revoke(1, [](const Entry&) {});
  lanes.add(record("a", 0, 1));
  EXPECT_FALSE(lanes.has_ready());
  lanes.finish(first);
  ASSERT_TRUE(lanes.has_ready());
  EXPECT_FALSE(lanes.next().revoked);
}

}  // namespace
}  // namespace fermata::pipeline
