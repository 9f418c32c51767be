#include "journal/event_intake.hpp"

#include "unit/crr/directory_fixture.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace fermata::crr::testing {
namespace {

using sdk::testing::Message;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Type = ReplicationRecord::Type;

/// The clock of FakeHost begins at this time.
constexpr const char* kNow = "2026-11-18T16:26:40.000Z";

std::string event(const std::string& name, const std::string& key, const std::string& version_id, const std::string& time = kNow) {
  return R"({"Records":[{"eventName":")" + name + R"(","eventTime":")" + time +
         R"(","s3":{"configurationId":"Config","bucket":{"name":"photos"},"object":{"key":")" + key +
         R"(","size":5,"eTag":"ab","versionId":")" + version_id + R"(","sequencer":"18794E0A4D3C2B1A"}}}]})";
}

class EventIntakeTest : public ::testing::Test {
 protected:
  void make(std::vector<Rule> rules = {}) {
    rules_.emplace(std::move(rules), std::vector<std::string>{"paris", "london"});
    intake_.emplace(host_, *rules_, "backbeat-replication");
    ASSERT_TRUE(intake_->add("bucket-events").is_ok());
    intake_->start();
  }
  ~EventIntakeTest() override {
    if (intake_) intake_->stop();
    EXPECT_THAT(fake_.violations(), IsEmpty());
  }

  /// Hands a message over and waits for its end.
  sdk::testing::DeliveryEnd deliver(const std::string& json, bool redelivered = false) {
    const auto delivery = fake_.deliver("events-bucket-events", {"photos/k", json, {}, 1, false, redelivered});
    EXPECT_TRUE(eventually([&] {
      fake_.run_ready();
      return delivery->ended();
    }));
    return delivery->result();
  }
  std::vector<ReplicationRecord> records() const {
    std::vector<ReplicationRecord> records;
    for (const auto& message : fake_.produced()) {
      auto record = parse_record(message.value);
      EXPECT_TRUE(record.is_ok()) << message.value;
      if (record) records.push_back(std::move(*record));
    }
    return records;
  }
  bool is_known(const std::string& path) const { return JournalIndex(host_).get(path)->has_value(); }

  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  std::optional<Rules> rules_;
  std::optional<EventIntake> intake_;
};

TEST_F(EventIntakeTest, IsNeverPausedAndHasAGroupOfItsOwn) {
  make();
  const auto processors = fake_.processors();
  ASSERT_THAT(processors, SizeIs(1));
  EXPECT_EQ(processors[0].topic, "bucket-events");
  EXPECT_EQ(processors[0].location, "");
  EXPECT_EQ(processors[0].group, "crr-events-bucket-events");
}

TEST_F(EventIntakeTest, MakesARecordThatNamesTheDestinations) {
  make();
  EXPECT_EQ(deliver(event("s3:ObjectCreated:Put", "a%2Fk", "v1")).outcome, FERMATA_DONE);
  const auto produced = fake_.produced();
  ASSERT_THAT(produced, SizeIs(1));
  EXPECT_EQ(produced[0].topic, "backbeat-replication");
  EXPECT_EQ(produced[0].key, "photos%2Fa%2Fk");
  const auto record = records().at(0);
  EXPECT_EQ(record.type, Type::kPut);
  EXPECT_EQ(record.id, (ObjectId{"photos", "a/k"}));
  EXPECT_EQ(record.version_id, "v1");
  EXPECT_EQ(record.size, 5u);
  EXPECT_FALSE(record.late);
  EXPECT_THAT(record.locations, ElementsAre("paris", "london"));
  const auto known = JournalIndex(host_).get("photos/a/k");
  ASSERT_TRUE(known.is_ok() && known->has_value());
  EXPECT_EQ((*known)->version, record.version);
  EXPECT_EQ((*known)->size, 5u);
  EXPECT_EQ(fake_.metric("crr_events_total", {{"result", "journaled"}}), 1);
}

TEST_F(EventIntakeTest, IsDoneOnlyWhenTheRecordIsDurable) {
  make();
  const auto delivery = fake_.deliver("events-bucket-events", {"photos/k", event("s3:ObjectCreated:Put", "k", "v1")});
  EXPECT_TRUE(eventually([&] { return fake_.produced().size() == 1; }));
  EXPECT_FALSE(delivery->ended());
  fake_.run_ready();
  EXPECT_TRUE(delivery->wait());
}

TEST_F(EventIntakeTest, SendsNothingThatNoRuleWants) {
  make({Rule{"photos", "public/", {}, {"paris"}}});
  EXPECT_EQ(deliver(event("s3:ObjectCreated:Put", "private/k", "v1")).outcome, FERMATA_DONE);
  EXPECT_THAT(records(), IsEmpty());
  EXPECT_FALSE(is_known("photos/private/k"));
  EXPECT_EQ(fake_.metric("crr_events_total", {{"result", "unwanted"}}), 1);
  EXPECT_EQ(deliver(event("s3:ObjectCreated:Put", "public/k", "v1")).outcome, FERMATA_DONE);
  EXPECT_THAT(records().at(0).locations, ElementsAre("paris"));
}

TEST_F(EventIntakeTest, KnowsOfAnEventWhetherItCameOnTime) {
  make();
  const std::pair<std::string, bool> cases[] = {{"2026-11-18T16:26:39.000Z", false},  // a second ago
                                                {"2026-11-18T16:26:38.500Z", true},   // longer
                                                {"2026-11-18T16:26:38Z", false},      // perhaps a second ago
                                                {"2026-11-18T16:26:37Z", true},
                                                {"2026-11-18T16:26:41.000Z", false},
                                                {"2026-11-18T16:26:42.000Z", true},  // no clock to be trusted
                                                {"", true}};
  for (const auto& [time, late] : cases) {
    deliver(event("s3:ObjectCreated:Put", "k", "v1", time));
    EXPECT_EQ(records().back().late, late) << time;
  }
  deliver(event("s3:ObjectCreated:Put", "k", "v1"), true);
  EXPECT_TRUE(records().back().late);
}

TEST_F(EventIntakeTest, LeavesInTheIndexWhatStillHasARecordOfItself) {
  make();
  for (const auto* key : {"plain", "versioned", "version"}) deliver(event("s3:ObjectCreated:Put", key, "v1"));
  deliver(event("s3:ObjectRemoved:Delete", "plain", ""));
  deliver(event("s3:ObjectRemoved:DeleteMarkerCreated", "versioned", "v2"));
  deliver(event("s3:ObjectRemoved:Delete", "version", "v0"));
  EXPECT_FALSE(is_known("photos/plain"));
  EXPECT_TRUE(is_known("photos/versioned"));
  EXPECT_EQ((*JournalIndex(host_).get("photos/version"))->size, 5u);
  const auto all = records();
  ASSERT_THAT(all, SizeIs(6));
  EXPECT_EQ(all[3].type, Type::kDelete);
  EXPECT_EQ(all[4].type, Type::kDelete);
  EXPECT_EQ(all[5].type, Type::kDeleteVersion);
  EXPECT_EQ(all[5].version_id, "v0");
}

TEST_F(EventIntakeTest, KeepsTheOrderOfOneObjectThoughManyMessagesAreOpen) {
  make();
  constexpr int kCount = 300;
  std::vector<std::shared_ptr<sdk::testing::FakeDelivery>> open;
  for (int i = 0; i < kCount; ++i)
    open.push_back(fake_.deliver("events-bucket-events",
                                 {"", event("s3:ObjectCreated:Put", "k" + std::to_string(i % 3), "v" + std::to_string(1'000 + i))}));
  EXPECT_TRUE(eventually([&] {
    fake_.run_ready();
    return std::all_of(open.begin(), open.end(), [](const auto& delivery) { return delivery->ended(); });
  }));
  std::map<std::string, ReplicationRecord> last;
  for (const auto& record : records()) {
    const auto before = last.find(record.id.key);
    if (before != last.end()) {
      EXPECT_LT(before->second.version_id, record.version_id);
      EXPECT_LT(before->second.version, record.version);
    }
    last[record.id.key] = record;
  }
  EXPECT_THAT(last, SizeIs(3));
}

TEST_F(EventIntakeTest, WaitsForAnOutageAndNeverGivesUp) {
  make();
  const auto json = event("s3:ObjectCreated:Put", "k", "v1");
  fake_.refuse_produce({Code::kResourceExhausted, "the buffer is full"});
  EXPECT_THAT(deliver(json), AllOf(::testing::Field(&sdk::testing::DeliveryEnd::outcome, FERMATA_POSTPONE),
                                   ::testing::Field(&sdk::testing::DeliveryEnd::text, HasSubstr("buffer is full"))));
  fake_.refuse_produce(Status::ok());
  fake_.set_produce_result({Code::kUnavailable, "no broker"});
  EXPECT_EQ(deliver(json).outcome, FERMATA_POSTPONE);
  fake_.set_produce_result(Status::ok());
  fake_.set_kv_status({Code::kUnavailable, "no store"});
  EXPECT_EQ(deliver(json).outcome, FERMATA_POSTPONE);
  fake_.set_kv_status(Status::ok());
  EXPECT_EQ(deliver(json).outcome, FERMATA_DONE);
}

TEST_F(EventIntakeTest, GivesUpWhatIsNoNotificationAndSaysWhy) {
  make();
  const auto end = deliver("nonsense");
  EXPECT_EQ(end.outcome, FERMATA_FAILED);
  EXPECT_THAT(end.text, HasSubstr("not a bucket notification"));
  EXPECT_EQ(fake_.metric("crr_events_total", {{"result", "invalid"}}), 1);
}

TEST_F(EventIntakeTest, IsDoneAtOnceWithWhatSaysNothing) {
  make();
  EXPECT_EQ(deliver(R"({"Event":"s3:TestEvent"})").outcome, FERMATA_DONE);
  EXPECT_EQ(deliver(event("s3:ObjectRestore:Post", "k", "v1")).outcome, FERMATA_DONE);
  EXPECT_EQ(fake_.metric("crr_events_total", {{"result", "ignored"}}), 2);
  EXPECT_EQ(deliver(event("s3:ObjectCreated:Put", "%FF", "v1")).outcome, FERMATA_DONE);
  EXPECT_TRUE(fake_.logged("not replicated: photos/\\xFF"));
  EXPECT_THAT(records(), IsEmpty());
}

TEST_F(EventIntakeTest, PostponesWhatIsOpenWhenTheServiceStops) {
  make();
  intake_->stop();
  EXPECT_EQ(deliver(event("s3:ObjectCreated:Put", "k", "v1")).outcome, FERMATA_POSTPONE);
  intake_->start();
  EXPECT_EQ(deliver(event("s3:ObjectCreated:Put", "k", "v1")).outcome, FERMATA_DONE);
}

}  // namespace
}  // namespace fermata::crr::testing
