#include "journal/s3_event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Type = ReplicationRecord::Type;

/// One record as AWS publishes it. @param object  more members of s3.object.
std::string record(const std::string& name, const std::string& key, const std::string& object = {},
                   const std::string& time = "2026-11-18T16:26:40.123Z", const std::string& configuration = "replication") {
  return R"({"eventVersion":"2.1","eventSource":"aws:s3","eventTime":")" + time + R"(","eventName":")" + name +
         R"(","s3":{"s3SchemaVersion":"1.0","configurationId":")" + configuration + R"(","bucket":{"name":"photos"},"object":{"key":")" +
         key + "\"" + (object.empty() ? "" : "," + object) + "}}}";
}
std::string notification(const std::string& records) { return R"({"Records":[)" + records + "]}"; }

S3Event only_event(const std::string& json) {
  const auto read = parse_s3_notification(json);
  EXPECT_TRUE(read.is_ok()) << read.status().text();
  if (!read) return {};
  EXPECT_THAT(read->events, SizeIs(1)) << json;
  return read->events.empty() ? S3Event{} : read->events.front();
}

TEST(S3Event, ReadsWhatMinioPublishes) {
  const auto event = only_event(
      R"({"EventName":"s3:ObjectCreated:Put","Key":"photos/2026/a b.jpg","Records":[{"eventVersion":"2.0","eventSource":"minio:s3",
          "awsRegion":"","eventTime":"2026-11-18T16:26:40.500Z","eventName":"s3:ObjectCreated:Put","userIdentity":{"principalId":"u"},
          "requestParameters":{"principalId":"u","region":"","sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-id-2":"i"},
          "s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"photos","ownerIdentity":{"principalId":"u"},
          "arn":"arn:aws:s3:::photos"},"object":{"key":"2026%2Fa+b.jpg","size":7,"eTag":"0cc1","contentType":"image/jpeg",
          "userMetadata":{"content-type":"image/jpeg"},"versionId":"3f2a","sequencer":"18794E0A4D3C2B1A"}},"source":{"host":"h"}}]})");
  EXPECT_EQ(event.type, Type::kPut);
  EXPECT_EQ(event.id, (ObjectId{"photos", "2026/a b.jpg"}));
  EXPECT_EQ(event.version_id, "3f2a");
  EXPECT_EQ(event.etag, "0cc1");
  EXPECT_EQ(event.size, 7u);
  EXPECT_EQ(event.time_ms, 1'795'019'200'500);
  EXPECT_EQ(event.time_span_ms, 1);
}

TEST(S3Event, ReadsWhatCephPublishes) {
  const auto event = only_event(
      R"({"Records":[{"eventVersion":"2.1","eventSource":"ceph:s3","awsRegion":"us-east-1","eventTime":"2026-11-18T16:26:40.124724Z",
          "eventName":"ObjectCreated:Put","s3":{"configurationId":"n","bucket":{"name":"photos"},"object":{"key":"a.jpg","size":"1024",
          "eTag":"37b5","versionId":"","sequencer":"F7E6D75DC742D108","metadata":[],"tags":[]}},"eventId":""}]})");
  EXPECT_EQ(event.type, Type::kPut);
  EXPECT_EQ(event.size, 1024u);
  EXPECT_EQ(event.version_id, "");
  EXPECT_EQ(event.time_ms, 1'795'019'200'124);
}

// VersityGW tells no versions of what is put or deleted, keys as they are, and a number that begins at 1 at each start.
TEST(S3Event, TakesFromVersityOnlyWhichKeyToLookAt) {
  const auto versity = [](const std::string& name, const std::string& object) {
    return only_event(notification(record(name, "100% a+b", object, "2026-11-18T17:26:40+01:00", "webhook-global")));
  };
  const auto put = versity("s3:ObjectCreated:Put", R"("size":3,"eTag":"\"ab\"","versionId":null,"sequencer":"A")");
  EXPECT_EQ(put.type, Type::kSync);
  EXPECT_FALSE(put.removed);
  EXPECT_EQ(put.id.key, "100% a+b");
  EXPECT_EQ(put.etag, "ab");
  EXPECT_EQ(put.time_ms, 1'795'019'200'000);
  EXPECT_EQ(put.time_span_ms, 1'000);
  const auto removed = versity("s3:ObjectRemoved:Delete", R"("size":0,"eTag":null,"versionId":null,"sequencer":"B")");
  EXPECT_EQ(removed.type, Type::kSync);
  EXPECT_TRUE(removed.removed);
  const auto version = versity("s3:ObjectRemoved:DeleteObjects", R"("versionId":"01JX","sequencer":"C")");
  EXPECT_EQ(version.type, Type::kDeleteVersion);
  EXPECT_EQ(version.version_id, "01JX");
  EXPECT_EQ(versity("s3:ObjectCreated:CompleteMultipartUpload", R"("versionId":"01JY")").type, Type::kPut);
  EXPECT_EQ(versity("s3:ObjectTagging:Put", R"("versionId":null)").type, Type::kTags);
}

TEST(S3Event, TellsKindsApartByTheirName) {
  const std::pair<std::string, Type> cases[] = {{"ObjectCreated:Put", Type::kPut},
                                                {"s3:ObjectCreated:Copy", Type::kPut},
                                                {"s3:ObjectCreated:CompleteMultipartUpload", Type::kPut},
                                                {"s3:ObjectCreated:PutTagging", Type::kTags},
                                                {"s3:ObjectCreated:DeleteTagging", Type::kTags},
                                                {"ObjectTagging:Put", Type::kTags},
                                                {"ObjectTagging:Delete", Type::kTags},
                                                {"ObjectRemoved:DeleteMarkerCreated", Type::kDelete},
                                                {"s3:ObjectRemoved:Delete", Type::kDeleteVersion},
                                                {"s3:ObjectRemoved:DeleteAllVersions", Type::kSync}};
  for (const auto& [name, type] : cases) EXPECT_EQ(only_event(notification(record(name, "k", R"("versionId":"v1")"))).type, type) << name;
  EXPECT_EQ(only_event(notification(record("ObjectRemoved:Delete", "k"))).type, Type::kDelete);
  EXPECT_EQ(only_event(notification(record("ObjectRemoved:Delete", "k", R"("versionId":"null")"))).type, Type::kDelete);
}

TEST(S3Event, CountsWhatReplicationDoesNotNeed) {
  for (const auto* name : {"s3:ObjectCreated:PutRetention", "s3:ObjectCreated:PutLegalHold", "s3:ObjectRemoved:NoOP", "ObjectRestore:Post",
                           "s3:Replication:OperationCompletedReplication", "ObjectAcl:Put", "s3:ObjectAccessed:Get", "TotallyNew:Event"}) {
    const auto read = parse_s3_notification(notification(record(name, "k")));
    ASSERT_TRUE(read.is_ok()) << name;
    EXPECT_THAT(read->events, IsEmpty()) << name;
    EXPECT_EQ(read->ignored, 1u) << name;
  }
  const auto test =
      parse_s3_notification(R"({"Service":"S3","Event":"s3:TestEvent","Time":"2026-11-18T16:26:40Z","Bucket":"Test-Bucket"})");
  ASSERT_TRUE(test.is_ok());
  EXPECT_EQ(test->ignored, 1u);
}

TEST(S3Event, DropsReplicasSoThatTwoStoresCanReplicateToEachOther) {
  for (const auto* object :
       {R"("userMetadata":{"X-Amz-Meta-Scal-Replication-Status":"REPLICA"})",
        R"("metadata":[{"key":"x-amz-meta-other","val":"1"},{"key":"x-amz-meta-scal-replication-status","val":"REPLICA"}])"}) {
    const auto read = parse_s3_notification(notification(record("s3:ObjectCreated:Put", "k", object)));
    ASSERT_TRUE(read.is_ok());
    EXPECT_THAT(read->events, IsEmpty());
    EXPECT_EQ(read->replicas, 1u);
  }
  only_event(notification(record("s3:ObjectCreated:Put", "k", R"("userMetadata":{"X-Amz-Meta-Scal-Replication-Status":"COMPLETED"})")));
}

TEST(S3Event, KeepsTheOrderOfSeveralRecords) {
  const auto json = notification(record("ObjectCreated:Put", "a%2Bb", R"("versionId":"1")") + "," + record("ObjectRestore:Post", "x") +
                                 "," + record("ObjectRemoved:DeleteMarkerCreated", "%C3%BC", R"("versionId":"2")"));
  const auto read = parse_s3_notification(json);
  ASSERT_TRUE(read.is_ok());
  EXPECT_THAT(read->events,
              ElementsAre(Field(&S3Event::id, ObjectId{"photos", "a+b"}), Field(&S3Event::id, ObjectId{"photos", "\xC3\xBC"})));
  EXPECT_EQ(read->events.at(1).version_id, "2");
}

TEST(S3Event, RefusesWhatIsNoNotificationAndSaysWhy) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "incomplete"},
      {"nonsense", "syntax"},
      {"[]", "no JSON object"},
      {"{}", "no list Records"},
      {R"({"Records":{}})", "no list Records"},
      {R"({"Records":[1]})", "no object"},
      {R"({"Records":[{}]})", "eventName"},
      {R"({"Records":[{"eventName":"ObjectCreated:Put"}]})", "s3.bucket.name"},
      {R"({"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"}}}]})", "s3.object.key"},
      {notification(record("ObjectCreated:Put", "100%")), "100%"},
  };
  for (const auto& [json, part] : cases) {
    const auto read = parse_s3_notification(json);
    EXPECT_EQ(read.status().code(), Code::kInvalidArgument) << json;
    EXPECT_THAT(read.status().message(), HasSubstr(part)) << json;
  }
}

TEST(S3Event, IsOfNoUseWithoutATimeButNoError) {
  for (const auto* time : {"", "yesterday", "2026-11-18"})
    EXPECT_EQ(only_event(notification(record("ObjectCreated:Put", "k", {}, time))).time_ms, 0);
}

}  // namespace
}  // namespace fermata::crr
