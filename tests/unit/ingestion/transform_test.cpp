#include "transform.hpp"
#include "version_id.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

namespace fermata::ingestion::testing {
namespace {

namespace json = boost::json;

const BucketSettings kBucket{"src", "dst", "owner-1", "Owner"};
const std::string kVersion = "98204680839378999999RG001  4";

TEST(Transform, GivesTheObjectToTheTargetAndItsDataToTheLocation) {
  Change change{false, "dst", "k" + std::string(1, '\0') + kVersion, {}, {1, 2}};
  change.value = json::serialize(json::object{{"owner-display-name", "Bart"},
                                              {"owner-id", "79a5"},
                                              {"content-length", 11},
                                              {"content-type", "text/plain"},
                                              {"content-md5", "5eb63bbbe01eeed093cb22bb8f5acdc3"},
                                              {"acl", {{"Canned", "public-read"}}},
                                              {"location", json::array{json::object{{"key", "9c54"}, {"size", 11}}}},
                                              {"tags", {{"a", "b"}}},
                                              {"replicationInfo", {{"status", "PENDING"}}},
                                              {"dataStoreName", "us-east-1"},
                                              {"last-modified", "2026-11-22T03:46:00.616Z"},
                                              {"x-amz-meta-foo", "bar"},
                                              {"versionId", kVersion}});
  const auto out = transform(change, kBucket, "ring");
  ASSERT_TRUE(out.is_ok()) << out.status().text();
  EXPECT_EQ(out->kind, StoredChange::Kind::kObject);
  EXPECT_EQ(out->bucket, "dst");
  EXPECT_EQ(out->key, "k");
  EXPECT_EQ(out->version, kVersion);
  EXPECT_EQ(out->size, 11);
  const auto metadata = json::parse(out->metadata);
  EXPECT_EQ(metadata, json::parse(R"({"owner-display-name":"Owner","owner-id":"owner-1","content-length":11,"content-type":"text/plain",
    "content-md5":"5eb63bbbe01eeed093cb22bb8f5acdc3","acl":{"Canned":"private","FULL_CONTROL":[],"WRITE_ACP":[],"READ":[],"READ_ACP":[]},
    "location":[{"key":"k","size":11,"start":0,"dataStoreName":"ring","dataStoreType":"aws_s3",
      "dataStoreETag":"1:5eb63bbbe01eeed093cb22bb8f5acdc3","dataStoreVersionId":"39383230343638303833393337383939393939395247303031202034"}],
    "tags":{"a":"b"},"replicationInfo":{"status":"","backends":[],"content":[],"destination":"","storageClass":"","role":"","storageType":"",
      "dataStoreVersionId":"","isNFS":null},"dataStoreName":"ring","last-modified":"2026-11-22T03:46:00.616Z","x-amz-meta-foo":"bar",
    "versionId":"98204680839378999999RG001  4"})"));
}

TEST(Transform, KnowsDeleteMarkersAndWhatHasNoVersion) {
  const auto marker = transform(
      {false, "dst", "k", R"({"content-length":"0","content-md5":"x","isDeleteMarker":true,"location":null})", {}}, kBucket, "ring");
  ASSERT_TRUE(marker.is_ok());
  EXPECT_EQ(marker->kind, StoredChange::Kind::kDeleteMarker);
  const auto place = json::parse(marker->metadata).at("location").at(0);
  EXPECT_EQ(place.at("dataStoreETag").as_string(), "1:d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(place.at("dataStoreVersionId").as_string(), "null");
  EXPECT_EQ(place.at("size").as_int64(), 0);
}

TEST(Transform, PassesRemovalsOn) {
  const auto removal = transform({true, "dst", "k", {}, {1, 9}}, kBucket, "ring");
  ASSERT_TRUE(removal.is_ok());
  EXPECT_EQ(removal->kind, StoredChange::Kind::kRemoval);
  EXPECT_EQ(removal->origin.sequence, 9);
}

TEST(Transform, RefusesWhatIsNoMetadata) {
  for (const auto* text : {"", "[]", "{}", R"({"content-length":-1})", R"({"content-length":"1x"})"})
    EXPECT_EQ(transform({false, "dst", "k", text, {}}, kBucket, "ring").status().code(), Code::kInvalidArgument) << text;
}

}  // namespace
}  // namespace fermata::ingestion::testing
