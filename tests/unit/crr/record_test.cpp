#include "model/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr {
namespace {

using ::testing::HasSubstr;

TEST(ReplicationRecord, ComesBackAsItWasWritten) {
  const ReplicationRecord record{
      ReplicationRecord::Type::kDelete, {"b", "d/\"k\" \xC3\xBC"}, 1'795'336'512'830'999, 77, 0, {"paris", "london"}};
  const auto back = parse_record(format_record(record));
  ASSERT_TRUE(back.is_ok()) << back.status().text();
  EXPECT_EQ(back->type, record.type);
  EXPECT_EQ(back->id, record.id);
  EXPECT_EQ(back->version, record.version);
  EXPECT_EQ(back->size, record.size);
  EXPECT_EQ(back->locations, record.locations);
}

TEST(ReplicationRecord, ComesBackWithAllThatAStoreToldOfIt) {
  using Type = ReplicationRecord::Type;
  for (const auto type : {Type::kPut, Type::kDelete, Type::kDeleteVersion, Type::kTags, Type::kSync}) {
    const ReplicationRecord record{type, {"b", "k"}, 7, 9, 1'795'336'512'830'000'000, {"paris"}, "v-1", true, true};
    const auto back = parse_record(format_record(record));
    ASSERT_TRUE(back) << back.status().text();
    EXPECT_EQ(back->type, type);
    EXPECT_EQ(back->version, 7u);
    EXPECT_EQ(back->mtime_ns, record.mtime_ns);
    EXPECT_EQ(back->version_id, "v-1");
    EXPECT_TRUE(back->late);
    EXPECT_TRUE(back->alone);
    EXPECT_TRUE(back->is_versioned());
  }
}

TEST(ReplicationRecord, KeyIsTheEncodedPath) { EXPECT_EQ(record_key({"b", "d/k +"}), "b%2Fd%2Fk%20%2B"); }

TEST(ReplicationRecord, NamesItsLocationsByStorageClass) {
  const auto record = parse_record(
      R"({"type":"put","bucket":"b","key":"k","value":"{\"replicationInfo\":{\"storageClass\":\"paris:preferred_read,us-east-2\"}}"})");
  ASSERT_TRUE(record.is_ok()) << record.status().text();
  EXPECT_TRUE(record->names("paris"));
  EXPECT_TRUE(record->names("us-east-2"));
  EXPECT_FALSE(record->names("us-east"));
  EXPECT_FALSE(record->names(""));
}

TEST(ReplicationRecord, RefusesWhatItIsNotAndSaysWhy) {
  for (const auto* bad : {"", "null", "[]", "{}", R"({"type":"put"})", R"({"type":"put","bucket":"b","key":"k","value":"nonsense"})",
                          R"({"type":"put","bucket":"b","key":"k","value":"{}"})",
                          R"({"type":"put","bucket":"","key":"k","value":"{\"replicationInfo\":{}}"})",
                          R"({"type":"move","bucket":"b","key":"k","value":"{\"replicationInfo\":{}}"})",
                          R"({"type":"put","bucket":"b","key":"k","value":"{\"replicationInfo\":{},\"content-length\":-1}"})"}) {
    const auto record = parse_record(bad);
    EXPECT_EQ(record.status().code(), Code::kInvalidArgument) << bad;
    EXPECT_THAT(record.status().message(), HasSubstr("not a replication record"));
  }
}

}  // namespace
}  // namespace fermata::crr
