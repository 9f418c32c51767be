#include "log_parser.hpp"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fermata::ingestion::testing {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Writes down what it is told.
class WritingSink final : public LogSink {
 public:
  Status on_info(const LogInfo& info) override {
    told.push_back("info " + std::to_string(info.start.value_or(-1)) + " " + std::to_string(info.cseq.value_or(-1)) + " " +
                   std::to_string(info.prune.value_or(-1)));
    return Status::ok();
  }
  bool wants(std::string_view bucket) override { return bucket != "foreign"; }
  Status on_entry(const LogEntry& entry) override {
    largest = std::max(largest, entry.value.size());
    told.push_back(std::string(entry.is_delete ? "del " : "put ") + std::string(entry.bucket) + " " +
                   (entry.has_key ? std::string(entry.key) : "-") + " " +
                   (entry.is_too_large         ? "too large"
                    : entry.value.size() > 100 ? "long"
                                               : std::string(entry.value)));
    return refusal;
  }
  Status on_record_end() override {
    told.push_back("end");
    return Status::ok();
  }

  std::vector<std::string> told;
  std::size_t largest = 0;
  Status refusal;
};

const std::string kLog =
    R"({"info":{"start":5,"cseq":8,"prune":1,"more":[{}]},"other":{"log":[1]},"log":[)"
    R"({"db":"b","method":8,"entries":[{"key":"m\u0000\"ö\ud83d\ude00","value":"{\"a\":1}"}]},)"
    R"({"db":"b","method":8,"entries":[{"type":"del","key":"x"},{"value":"v","key":"y","type":"put","z":{"key":"no"}}]},)"
    R"({"db":"foreign","method":0,"entries":[{"key":"k","value":"v"}]},{"db":"b","entries":[]}]})";

std::vector<std::string> expected() {
  return {"info 5 8 1", "put b m" + std::string(1, '\0') + "\"ö😀 {\"a\":1}", "end", "del b x ", "put b y v", "end", "put foreign  ", "end",
          "end"};
}

TEST(LogParser, ReadsPiecesOfEverySize) {
  for (std::size_t size = 1; size <= kLog.size(); ++size) {
    WritingSink sink;
    LogParser parser(sink);
    for (std::size_t at = 0; at < kLog.size(); at += size)
      ASSERT_TRUE(parser.feed(std::string_view(kLog).substr(at, size)).is_ok()) << size;
    ASSERT_TRUE(parser.end().is_ok()) << size;
    auto told = sink.told;
    for (auto& line : told)
      if (line.starts_with("put foreign")) line = "put foreign  ";
    ASSERT_EQ(told, expected()) << size;
  }
}

TEST(LogParser, TellsWhatWasWholeBeforeItWasCutOff) {
  for (std::size_t size = 0; size < kLog.size(); ++size) {
    WritingSink sink;
    LogParser parser(sink);
    ASSERT_TRUE(parser.feed(std::string_view(kLog).substr(0, size)).is_ok()) << size;
    EXPECT_EQ(parser.end().code(), Code::kDataLoss) << size;
    ASSERT_LE(sink.told.size(), expected().size());
    for (std::size_t i = 0; i < sink.told.size(); ++i)
      if (!sink.told[i].starts_with("put foreign")) {
        EXPECT_EQ(sink.told[i], expected()[i]);
      }
  }
}

TEST(LogParser, BoundsItsMemory) {
  const std::string large(3 * LogParser::kMaxEntryBytes, 'x');
  WritingSink sink;
  LogParser parser(sink);
  ASSERT_TRUE(parser.feed(R"({"info":{},"log":[{"db":"b","entries":[{"key":"k","value":")").is_ok());
  ASSERT_TRUE(parser.feed(large).is_ok());
  ASSERT_TRUE(parser.feed(R"("},{"key":"next","value":"v"}]}]})").is_ok());
  ASSERT_TRUE(parser.end().is_ok());
  EXPECT_THAT(sink.told, ElementsAre("info -1 -1 -1", "put b k too large", "put b next v", "end"));
  EXPECT_LE(sink.largest, LogParser::kMaxEntryBytes);
}

TEST(LogParser, RefusesWhatIsNoLog) {
  for (const auto* text :
       {"[]", "1", R"("x")", R"({"log":[],"info":{}})", R"({"info":{},"log":[1]})", R"({"info":{},"log":[[]]})",
        R"({"info":{},"log":[{"entries":[]}]})", R"({"info":{},"log":[{"db":"b","entries":[1]}]})", "{\"info\":}", "{}", "nonsense"}) {
    WritingSink sink;
    LogParser parser(sink);
    auto status = parser.feed(text);
    if (status.is_ok()) status = parser.end();
    EXPECT_EQ(status.code(), Code::kDataLoss) << text;
  }
}

TEST(LogParser, TakesAnEmptyLog) {
  for (const auto* text : {R"({"info":{"start":null,"cseq":0},"log":[]})", "{\"info\":{},\"log\":null}\n"}) {
    WritingSink sink;
    LogParser parser(sink);
    EXPECT_TRUE(parser.feed(text).is_ok()) << text;
    EXPECT_TRUE(parser.end().is_ok()) << text;
    EXPECT_EQ(sink.told.size(), 1u);
  }
}

TEST(LogParser, EndsWithWhatTheSinkSays) {
  WritingSink sink;
  sink.refusal = Status(Code::kCancelled, "enough");
  LogParser parser(sink);
  EXPECT_EQ(parser.feed(kLog).code(), Code::kCancelled);
}

}  // namespace
}  // namespace fermata::ingestion::testing
