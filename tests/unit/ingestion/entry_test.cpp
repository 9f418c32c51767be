#include "filter.hpp"
#include "position.hpp"
#include "record.hpp"
#include "text/text.hpp"
#include "version_id.hpp"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::ingestion::testing {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

const std::string kVersion = "98204680839378999999RG001  4";

TEST(VersionId, IsEncodedAsClientsSeeIt) {
  EXPECT_EQ(encode_version_id("98204680839378999999RG001  "), "aIBGmvaeJklx00000000001I4j3QKItW");
  EXPECT_EQ(encode_version_id("98204680839378999998PARIS  "), "aIBGmvaeJklw00000000001FsCrDlvIk");
  EXPECT_EQ(encode_version_id("99999999999999999999RG001  "), "aUKYOzaUKYOz00000000001I4j3QKItW");
  EXPECT_EQ(encode_version_id("00000000000000000000       "), "00000000000000000000000FpIF9oriE");
  EXPECT_EQ(encode_version_id(kVersion), "39383230343638303833393337383939393939395247303031202034");
}

TEST(Record, HasBackbeatsForm) {
  const std::string key = "k" + std::string(1, '\0') + "98204679933399999999RG001  12";
  EXPECT_EQ(record_key("zenkobucket", key), "zenkobucket%2Fk%0098204679933399999999RG001%20%2012");
  EXPECT_EQ(record_value(false, "b", key, "{\"a\":\"\\u0001\"}", {3, 17}),
            R"({"type":"put","bucket":"b","key":"k\u000098204679933399999999RG001  12","value":"{\"a\":\"\\u0001\"}",)"
            R"("overheadFields":{"session":3,"seq":17}})");
  EXPECT_EQ(record_value(true, "b", "k", "", {3, 18}), R"({"type":"del","bucket":"b","key":"k","overheadFields":{"session":3,"seq":18}})");
}

TEST(Record, SurvivesTheWayThroughTheQueue) {
  std::string nasty;
  for (int c = 0; c < 128; ++c) nasty += static_cast<char>(c);
  nasty += "äöü 日本語 😀";
  const auto change = parse_record(record_value(false, "b", nasty, nasty, {1, 2}));
  ASSERT_TRUE(change.is_ok()) << change.status().text();
  EXPECT_EQ(change->key, nasty);
  EXPECT_EQ(change->value, nasty);
  EXPECT_EQ(change->origin.session, 1);
  EXPECT_EQ(change->origin.sequence, 2);
}

TEST(Record, IsEscapedWhereverInALongValueItMustBe) {
  const std::string text = "\x01\"\\\x1f \x7f\xc3\xa4";
  for (std::size_t before = 0; before < 20; ++before) {
    for (const std::size_t long_part : {0u, 1'010u, 2'040u}) {
      const std::string plain(before + long_part, 'x');
      const std::string expected = R"({"type":"put","bucket":"b","key":"k","value":")" + plain + R"(\u0001\"\\\u001f )" + "\x7f\xc3\xa4" +
                                   plain + R"(","overheadFields":{"session":1,"seq":2}})";
      EXPECT_EQ(record_value(false, "b", "k", plain + text + plain, {1, 2}), expected);
    }
  }
}

TEST(Record, OfBackbeatHasNoOrigin) {
  const auto change = parse_record(R"({"type":"del","bucket":"b","key":"k"})");
  ASSERT_TRUE(change.is_ok());
  EXPECT_FALSE(change->origin.known());
  EXPECT_EQ(parse_record(R"({"bootstrapId":"1"})").status().code(), Code::kNotFound);
}

TEST(Record, ThatIsNoneIsRefused) {
  for (const auto* text :
       {"", "[]", "{", R"({"type":"put"})", R"({"type":"put","bucket":"b","key":"k"})", R"({"type":"x","bucket":"b","key":"k"})"})
    EXPECT_EQ(parse_record(text).status().code(), Code::kInvalidArgument) << text;
}

TEST(Position, SurvivesAsACheckpoint) {
  const auto read = parse_checkpoint(to_checkpoint({12, 3, 4, 5, 6}));
  ASSERT_TRUE(read.is_ok());
  EXPECT_TRUE(read->is_at({12, 3}));
  EXPECT_EQ(read->lost, 4);
  EXPECT_EQ(read->too_large, 5);
  EXPECT_EQ(read->last_loss_ms, 6);
  EXPECT_EQ(to_checkpoint({}), "");
  EXPECT_EQ(parse_checkpoint("")->next, 0);
  EXPECT_EQ(parse_checkpoint("17").status().code(), Code::kDataLoss);
}

class FilterTest : public ::testing::Test {
 protected:
  static LocationSettings location() {
    LocationSettings out;
    out.name = "ring";
    out.buckets.push_back({"src", "dst", "id", "name"});
    return out;
  }
  static std::string metadata(json::object more = {}) {
    json::object out{{"content-length", 1}, {"content-md5", "m"}, {"last-modified", "t"}};
    for (const auto& [name, value] : more) out[name] = value;
    return json::serialize(out);
  }
  std::string_view judge(std::string_view key, const std::string& value, bool is_delete = false) const {
    return Filter::names[static_cast<std::size_t>(filter_.judge({"src", key, value, is_delete, !key.empty(), !value.empty(), false}))];
  }
  const LocationSettings location_ = location();
  const Filter filter_{location_, "me"};
};

TEST_F(FilterTest, KnowsItsBuckets) {
  ASSERT_NE(filter_.find("src"), nullptr);
  EXPECT_EQ(filter_.find("src")->target, "dst");
  EXPECT_EQ(filter_.find("dst"), nullptr);
}

TEST_F(FilterTest, DropsWhatIsNoChangeOfAnObject) {
  const std::string version_key = "k" + std::string(1, '\0') + kVersion;
  EXPECT_EQ(judge(version_key, metadata({{"versionId", kVersion}})), "pass");
  EXPECT_EQ(judge("k", metadata()), "pass");
  EXPECT_EQ(judge("k", "", true), "pass");
  EXPECT_EQ(judge("k", metadata({{"versionId", kVersion}})), "master_copy");
  EXPECT_EQ(judge("k", metadata({{"versionId", kVersion}, {"isNull", true}})), "pass");
  EXPECT_EQ(judge("k", metadata({{"mdBucketModelVersion", 5}})), "bucket_metadata");
  EXPECT_EQ(judge("k", R"({"attributes":"{}"})"), "bucket_metadata");
  EXPECT_EQ(judge("k", R"({"attri\u0062utes":"{}"})"), "bucket_metadata");
  EXPECT_EQ(judge("k", R"({"length":{"attributes":"{}"}})"), "incomplete");
  EXPECT_EQ(judge("", metadata()), "bucket_metadata");
  EXPECT_EQ(judge("k", R"({"isPHD":true,"versionId":"1"})"), "incomplete");
  EXPECT_EQ(judge("k", ""), "incomplete");
  EXPECT_EQ(judge("k", "{"), "incomplete");
  EXPECT_EQ(judge("k", "[1]"), "incomplete");
  EXPECT_EQ(judge(version_key, metadata({{"x-amz-meta-zenko-instance-id", "me"}})), "own_write");
  EXPECT_EQ(judge(version_key, metadata({{"x-amz-meta-zenko-instance-id", "zenko"}})), "own_write");
  EXPECT_EQ(judge(version_key, metadata({{"x-amz-meta-zenko-instance-id", "another"}})), "pass");
  // What users write into tags decides nothing.
  EXPECT_EQ(judge("k", metadata({{"tags", {{"versionId", kVersion}, {"attributes", "x"}}}})), "pass");
}

}  // namespace
}  // namespace fermata::ingestion::testing
