#include "log_reader.hpp"
#include "record.hpp"
#include "unit/ingestion/scripted_bucketd.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace fermata::ingestion::testing {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kName = "log-ring-1";

json::object metadata(int number) { return {{"content-length", number}, {"content-md5", std::to_string(number)}, {"last-modified", "t"}}; }

/// One reader of a scripted bucketd on a FakeHost.
class LogReaderTest : public ::testing::Test {
 protected:
  ~LogReaderTest() override {
    if (reader_) reader_->stop();
    EXPECT_THAT(fake_.violations(), IsEmpty());
    EXPECT_EQ(fake_.open_promises(), 0u);
  }

  void start(LocationSettings::From from = LocationSettings::From::kBeginning, LogReader::Options options = {}) {
    location_.name = "ring";
    location_.endpoint = bucketd_.url();
    location_.buckets.push_back({"src", "dst", "id", "name"});
    location_.from = from;
    location_.poll_interval = 10ms;
    reader_.emplace(host_, location_, 1, "me", *http::Endpoint::parse(location_.endpoint), options);
    ASSERT_TRUE(
        host_
            .register_populator({kName, "topic", "",
                                 [this](std::string_view checkpoint, sdk::Batch batch) { reader_->poll(checkpoint, std::move(batch)); }})
            .is_ok());
    reader_->start();
  }
  /// The daemon was killed and starts again: the checkpoint is the host's, all else is gone.
  void restart() {
    reader_->stop();
    reader_.emplace(host_, location_, 1, "me", *http::Endpoint::parse(location_.endpoint), LogReader::Options());
    reader_->start();
  }

  sdk::testing::BatchEnd poll() {
    const auto batch = fake_.poll(kName);
    EXPECT_TRUE(batch && batch->wait(60s));
    return batch ? batch->result() : sdk::testing::BatchEnd{};
  }
  /// Polls until the log has nothing more. @return the keys in the order of the queue.
  std::vector<std::string> poll_all(bool may_fail = false) {
    for (int polls = 0; polls < 10'000; ++polls) {
      const auto end = poll();
      if (!end.status.is_ok() && !may_fail) ADD_FAILURE() << end.status.text();
      if (end.status.is_ok() && end.records.empty() && end.idle > 0ms) break;
    }
    std::vector<std::string> keys;
    for (const auto& record : fake_.produced()) keys.push_back(parse_record(record.value)->key);
    return keys;
  }
  Position checkpoint() { return *parse_checkpoint(fake_.checkpoint(kName)); }

  ScriptedBucketd bucketd_;
  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  LocationSettings location_;
  std::optional<LogReader> reader_;
};

TEST_F(LogReaderTest, ReadsFromTheBeginningToTheEnd) {
  for (int i = 1; i <= 2'500; ++i) bucketd_.add(i % 5 == 0 ? "foreign" : "src", "k" + std::to_string(i), metadata(i));
  start();
  const auto keys = poll_all();
  EXPECT_EQ(keys.size(), 2'000u);
  EXPECT_EQ(keys.front(), "k1");
  EXPECT_EQ(keys.back(), "k2499");
  EXPECT_EQ(checkpoint().next, 2'501);
  EXPECT_EQ(fake_.metric("ingestion_filtered_total", {{"location", "ring"}, {"reason", "other_bucket"}}), 500);
  EXPECT_EQ(fake_.metric("ingestion_log_records_total", {{"location", "ring"}}), 2'500);
  EXPECT_EQ(fake_.metric("ingestion_produced_total", {{"location", "ring"}}), 2'000);
  EXPECT_EQ(reader_->trouble(), "");
  EXPECT_EQ(reader_->details()->lag, 0);
}

TEST_F(LogReaderTest, BeginsWithWhatComesNextUnlessToldOtherwise) {
  bucketd_.add("src", "before", metadata(1));
  start(LocationSettings::From::kNow);
  EXPECT_THAT(poll_all(), IsEmpty());
  EXPECT_EQ(checkpoint().next, 2) << "kept before anything came, so that a restart begins at the same place";
  bucketd_.add("src", "after", metadata(2));
  EXPECT_EQ(poll_all(), std::vector<std::string>{"after"});
}

TEST_F(LogReaderTest, BeginsAtOneWhereThereIsNoLogYet) {
  bucketd_.refuse(404);
  start(LocationSettings::From::kNow);
  EXPECT_THAT(poll_all(), IsEmpty());
  EXPECT_EQ(checkpoint().next, 1);
  EXPECT_TRUE(reader_->details()->no_session);
  bucketd_.refuse(0);
  bucketd_.add("src", "k", metadata(1));
  EXPECT_EQ(poll_all().size(), 1u);
}

TEST_F(LogReaderTest, GoesOnWhereTheCheckpointSays) {
  for (int i = 1; i <= 10; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  start();
  poll_all();
  bucketd_.add("src", "k11", metadata(11));
  restart();
  EXPECT_EQ(poll_all().size(), 11u);
}

TEST_F(LogReaderTest, ABatchThatWasNotSavedComesAgain) {
  for (int i = 1; i <= 10; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  start();
  poll_all();
  fake_.set_checkpoint(kName, to_checkpoint({4, 0}));
  const auto keys = poll_all();
  EXPECT_EQ(keys.size(), 17u);
  EXPECT_EQ(keys[10], "k4");
}

TEST_F(LogReaderTest, ARecordOfManyEntriesIsDividedAmongBatches) {
  json::array entries;
  for (int i = 0; i < 2'500; ++i)
    entries.push_back(json::object{{"key", "k" + std::to_string(i)}, {"value", json::serialize(metadata(i))}});
  bucketd_.append({{"db", "src"}, {"entries", entries}});
  start();
  std::size_t records = 0;
  for (int batch = 0; batch < 2; ++batch) records += poll().records.size();
  EXPECT_EQ(checkpoint().next, 1);
  EXPECT_EQ(checkpoint().entries, static_cast<std::int64_t>(records));
  restart();
  const auto keys = poll_all();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 2'500u);
  EXPECT_EQ(keys.size(), 2'500u);
}

TEST_F(LogReaderTest, APrunedLogIsCountedAndSaid) {
  for (int i = 1; i <= 10; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  start();
  fake_.set_checkpoint(kName, to_checkpoint({3, 0}));
  bucketd_.prune(8);
  EXPECT_EQ(poll_all().front(), "k8");
  EXPECT_EQ(checkpoint().lost, 5);
  EXPECT_THAT(reader_->trouble(), HasSubstr("5 records were pruned"));
  EXPECT_EQ(fake_.metric("ingestion_lost_records_total", {{"location", "ring"}}), 5);
  EXPECT_TRUE(fake_.logged("was pruned"));
  restart();
  poll_all();
  EXPECT_THAT(reader_->trouble(), HasSubstr("5 records were pruned")) << "also after a restart";
  fake_.clock().advance(25h);
  EXPECT_EQ(reader_->trouble(), "");
}

TEST_F(LogReaderTest, ALogPrunedBeyondItsEndIsSeen) {
  for (int i = 1; i <= 10; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  start();
  fake_.set_checkpoint(kName, to_checkpoint({30, 0}));
  const auto end = poll();
  EXPECT_EQ(end.status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(end.status.message(), HasSubstr("before our position 30"));
  EXPECT_THAT(reader_->trouble(), HasSubstr("was the source restored"));
}

TEST_F(LogReaderTest, TroubleIsToldAndPasses) {
  bucketd_.add("src", "k", metadata(1));
  bucketd_.refuse(500);
  start();
  EXPECT_THAT(poll().status.message(), HasSubstr("answered 500"));
  EXPECT_THAT(reader_->trouble(), HasSubstr("refused"));
  bucketd_.refuse(0);
  EXPECT_EQ(poll_all(true).size(), 1u);
  EXPECT_EQ(reader_->trouble(), "");
}

TEST_F(LogReaderTest, WhatWasWholeBeforeTheCutIsUsedAndNothingIsLost) {
  for (int i = 1; i <= 40; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  int cut = 0;
  bucketd_.spoil([&](std::string whole) {
    return ++cut < 30 ? whole.substr(0, whole.find("\r\n\r\n") + 150 + static_cast<std::size_t>(cut) * 7) : whole;
  });
  start();
  auto keys = poll_all(true);
  ASSERT_EQ(keys.size(), 40u) << "each came once, as positions move over whole entries only";
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(keys[i], "k" + std::to_string(i + 1));
}

TEST_F(LogReaderTest, InvalidJsonIsToldAndWhatCameBeforeItIsKept) {
  for (int i = 1; i <= 3; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  bucketd_.spoil([](std::string whole) {
    const auto at = whole.find("k3");
    if (at != std::string::npos) whole[at - 2] = '#';
    return whole;
  });
  start();
  EXPECT_EQ(poll().records.size(), 2u);
  EXPECT_THAT(poll().status.message(), HasSubstr("not valid JSON"));
  EXPECT_EQ(checkpoint().next, 3);
  bucketd_.spoil({});
  EXPECT_EQ(poll_all(true).size(), 3u);
}

TEST_F(LogReaderTest, AnEntryTooLargeForTheQueueIsPassedOverAndSaid) {
  auto large = metadata(1);
  large["x-amz-meta-x"] = std::string(1u << 20, 'x');
  auto huge = metadata(2);
  huge["x-amz-meta-x"] = std::string(3u << 20, 'x');
  auto fits = metadata(3);
  fits["x-amz-meta-x"] = std::string((1u << 20) - 1'000, 'x');
  bucketd_.add("src", "large", large);
  bucketd_.add("src", "huge", huge);
  bucketd_.add("src", "fits", fits);
  start();
  EXPECT_EQ(poll_all(), std::vector<std::string>{"fits"});
  EXPECT_EQ(checkpoint().too_large, 2);
  EXPECT_THAT(reader_->trouble(), HasSubstr("2 entries were too large"));
  EXPECT_EQ(fake_.metric("ingestion_too_large_total", {{"location", "ring"}}), 2);
  EXPECT_TRUE(fake_.logged("key: huge"));
}

TEST_F(LogReaderTest, AHeldReaderAsksForNothing) {
  start();
  poll();
  reader_->hold();
  const auto before = bucketd_.asked().size();
  bucketd_.add("src", "k", metadata(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(poll().records.empty());
  EXPECT_EQ(bucketd_.asked().size(), before);
  reader_->release();
  EXPECT_GE(fake_.wakes(kName), 1u);
  EXPECT_EQ(poll_all().size(), 1u);
}

TEST_F(LogReaderTest, HoldingAnswersAPollThatWaits) {
  bucketd_.spoil([](std::string whole) {
    std::this_thread::sleep_for(300ms);
    return whole;
  });
  start();
  const auto batch = fake_.poll(kName);
  reader_->hold();
  EXPECT_TRUE(batch->wait(100ms));
  EXPECT_TRUE(batch->result().status.is_ok());
}

TEST_F(LogReaderTest, ReadsAheadWithinItsBounds) {
  for (int i = 1; i <= 500; ++i) bucketd_.add("src", "k" + std::to_string(i), metadata(i));
  LogReader::Options options;
  options.max_records = 10;
  options.read_limit = 100;
  start(LocationSettings::From::kBeginning, options);
  EXPECT_EQ(poll_all().size(), 500u);
}

}  // namespace
}  // namespace fermata::ingestion::testing
