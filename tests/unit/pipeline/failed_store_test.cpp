#include "pipeline/failed_store.hpp"

#include "base/time_format.hpp"
#include "support/fakes.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fermata::pipeline {
namespace {

FailedRecord failed_record(std::int64_t offset, std::string value = "value") {
  return {FailedStore::make_id("topic", 0, offset), "topic", "replicate", "bucket/key", std::move(value), "target said no", 3,
          from_unix_ms(1'795'000'000'123)};
}

TEST(FailedStore, GivesBackWhatWasPut) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  ASSERT_TRUE(store.put("paris", failed_record(7)));
  const auto found = store.get("paris", FailedStore::make_id("topic", 0, 7));
  ASSERT_TRUE(found && found->has_value());
  const FailedRecord& record = **found;
  EXPECT_EQ(record.id, "topic/00000/0000000000000000007");
  EXPECT_EQ(record.topic, "topic");
  EXPECT_EQ(record.processor, "replicate");
  EXPECT_EQ(record.key, "bucket/key");
  EXPECT_EQ(record.value, "value");
  EXPECT_EQ(record.reason, "target said no");
  EXPECT_EQ(record.attempts, 3u);
  EXPECT_EQ(to_unix_ms(record.failed_at), 1'795'000'000'123);
}

TEST(FailedStore, KeepsBytesThatAreNoText) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  FailedRecord record = failed_record(1, std::string("\0\n\xff\xfe\n\n{", 7));
  record.key = std::string("\n\x80\0", 3);
  record.reason = "caf\xe9 \"closed\"\n";
  ASSERT_TRUE(store.put("paris", record));
  const auto found = store.get("paris", record.id);
  ASSERT_TRUE(found) << found.status().text();
  EXPECT_EQ((*found)->value, record.value);
  EXPECT_EQ((*found)->key, record.key);
  EXPECT_EQ((*found)->reason, record.reason);
}

TEST(FailedStore, KeepsARecordLargerThanOneEntryAndRemovesAllOfIt) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  std::string value;
  for (int i = 0; value.size() < (1u << 20); ++i) value += std::to_string(i);
  ASSERT_TRUE(store.put("paris", failed_record(1, value)));
  const auto parts = kv.scan("crr/failed-parts", {}, {}, 100);
  EXPECT_EQ(parts->size(), 4u);
  for (const auto& [key, part] : *parts) EXPECT_LE(part.size(), 256u << 10);
  const auto listed = store.list("paris", {}, 10);
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().value, value);
  ASSERT_TRUE(store.remove("paris", failed_record(1).id));
  EXPECT_TRUE(kv.scan("crr/failed-parts", {}, {}, 100)->empty());
  EXPECT_FALSE(store.get("paris", failed_record(1).id)->has_value());
}

TEST(FailedStore, ListsALocationPageByPageInOrder) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  for (const int offset : {100, 9, 20}) ASSERT_TRUE(store.put("paris", failed_record(offset)));
  ASSERT_TRUE(store.put("paris/old", failed_record(1)));
  ASSERT_TRUE(store.put("oslo", failed_record(2)));
  const auto first = store.list("paris", {}, 2);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ((*first)[0].id, FailedStore::make_id("topic", 0, 9));
  EXPECT_EQ((*first)[1].id, FailedStore::make_id("topic", 0, 20));
  const auto second = store.list("paris", (*first)[1].id, 2);
  ASSERT_TRUE(second);
  ASSERT_EQ(second->size(), 1u);
  EXPECT_EQ((*second)[0].id, FailedStore::make_id("topic", 0, 100));
}

std::int64_t counted(FailedStore& store, std::string_view location) {
  while (*store.count_page()) {
  }
  return store.count(location);
}

TEST(FailedStore, CountsWhatOtherNodesPutAndRemoved) {
  testing::FakeKeyValueStore kv;
  FailedStore one("crr", kv);
  FailedStore two("crr", kv);
  for (int offset = 0; offset < 250; ++offset) ASSERT_TRUE(one.put("paris/old", failed_record(offset)));
  ASSERT_TRUE(one.put("oslo", failed_record(1)));
  EXPECT_EQ(counted(two, "paris/old"), 250);
  EXPECT_EQ(two.count("oslo"), 1);
  EXPECT_EQ(two.count("paris"), 0);
  ASSERT_TRUE(two.remove("paris/old", failed_record(7).id));
  ASSERT_TRUE(two.put("oslo", failed_record(2)));
  EXPECT_EQ(two.count("paris/old"), 249);
  EXPECT_EQ(one.count("paris/old"), 250) << "until it counts";
  EXPECT_EQ(counted(one, "paris/old"), 249);
  EXPECT_EQ(one.count("oslo"), 2);
  for (const int offset : {1, 2}) ASSERT_TRUE(one.remove("oslo", failed_record(offset).id));
  EXPECT_EQ(counted(two, "oslo"), 0);
}

TEST(FailedStore, CountsRightWhatIsPutAndRemovedDuringAPass) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  for (int offset = 0; offset < 250; ++offset) ASSERT_TRUE(store.put("paris", failed_record(offset)));
  ASSERT_TRUE(*store.count_page());
  ASSERT_TRUE(store.put("oslo", failed_record(1)));  // passed already
  ASSERT_TRUE(store.remove("paris", failed_record(3).id));
  ASSERT_TRUE(store.remove("paris", failed_record(240).id));
  EXPECT_EQ(counted(store, "paris"), 248);
  EXPECT_EQ(store.count("oslo"), 1);
}

TEST(FailedStore, GoesOnCountingWhereTheStoreFailed) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  FailedStore other("crr", kv);
  for (int offset = 0; offset < 150; ++offset) ASSERT_TRUE(other.put("paris", failed_record(offset)));
  ASSERT_TRUE(*store.count_page());
  kv.set_down("no connection");
  EXPECT_EQ(store.count_page().status().code(), Code::kUnavailable);
  EXPECT_EQ(store.count("paris"), 100);
  kv.set_down("");
  EXPECT_EQ(counted(store, "paris"), 150);
}

TEST(FailedStore, CountsAtMostSoManyOfALocationAndAllOfTheOthers) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  for (std::size_t i = 0; i < FailedStore::kMaxCounted + 500; ++i)
    ASSERT_TRUE(kv.put("crr/failed", "oslo/" + FailedStore::make_id("topic", 0, static_cast<std::int64_t>(i)), "x"));
  ASSERT_TRUE(store.put("paris", failed_record(1)));
  EXPECT_EQ(counted(store, "oslo"), static_cast<std::int64_t>(FailedStore::kMaxCounted));
  EXPECT_EQ(counted(store, "paris"), 1);
}

TEST(FailedStore, ListsADamagedRecordWithTheReason) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  ASSERT_TRUE(store.put("paris", failed_record(1)));
  ASSERT_TRUE(kv.put("crr/failed", "paris/" + failed_record(2).id, "rubbish"));
  const auto listed = store.list("paris", {}, 10);
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[1].id, failed_record(2).id);
  EXPECT_NE((*listed)[1].reason.find("cannot be read"), std::string::npos);
}

TEST(FailedStore, PassesOnThatTheStoreIsDown) {
  testing::FakeKeyValueStore kv;
  FailedStore store("crr", kv);
  kv.set_down("disk full");
  EXPECT_EQ(store.put("paris", failed_record(1)).code(), Code::kUnavailable);
  EXPECT_EQ(store.list("paris", {}, 1).status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace fermata::pipeline
