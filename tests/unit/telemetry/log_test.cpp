#include "telemetry/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace fermata::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LogFile : public ::testing::Test {
 protected:
  LogFile() {
    std::string name = (std::filesystem::temp_directory_path() / "fermata-log-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
    file_ = (folder_ / "fermata.log").string();
  }
  ~LogFile() override { std::filesystem::remove_all(folder_); }

  static std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  /// The lines that `use` writes; the end of a Log writes what is queued.
  template <typename Use>
  std::vector<std::string> lines_written(bool json, Use use) {
    {
      Log log({.level = Level::kInfo, .json = json, .file = file_});
      use(log);
    }
    return lines_of(file_);
  }

  std::filesystem::path folder_;
  std::string file_;
};

TEST_F(LogFile, TextLineHasTimeLevelComponentMessageAndFields) {
  const auto lines = lines_written(false, [](Log& log) {
    log.info("control", "paused crr/paris", {{"by", "alice"}, {"reason", "new disks"}});
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z INFO  control  paused crr/paris "
                                     "by=alice reason=\"new disks\""));
}

TEST_F(LogFile, TextLineStaysOneLineWhateverItIsTold) {
  const auto lines = lines_written(false, [](Log& log) {
    log.warn("plugin/x", "first\nsecond\x1b[31m", {{"quote", "say \"hi\"\\"}, {"empty", ""}, {"bad", "\xff"}, {"csi", "\xc2\x9b"}});
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], EndsWith(R"(WARN  plugin/x  first\nsecond\u001b[31m quote="say \"hi\"\\" empty="" bad="\ufffd" csi="\u009b")"));
}

TEST_F(LogFile, JsonLineIsParsedBackToWhatWasSaid) {
  const auto lines = lines_written(true, [](Log& log) { log.error("rest", "line\n\"two\" \\ \x01 é", {{"key", "v=1\t"}}); });
  ASSERT_EQ(lines.size(), 1u);
  const auto value = boost::json::parse(lines[0]).as_object();
  EXPECT_EQ(value.at("level").as_string(), "error");
  EXPECT_EQ(value.at("component").as_string(), "rest");
  EXPECT_EQ(value.at("message").as_string(), "line\n\"two\" \\ \x01 é");
  EXPECT_EQ(value.at("fields").as_object().at("key").as_string(), "v=1\t");
  EXPECT_EQ(value.at("time").as_string().size(), std::string("2026-11-22T08:35:12.830Z").size());
}

TEST_F(LogFile, JsonWithoutFieldsAndWithBadUtf8IsStillJson) {
  const auto lines = lines_written(true, [](Log& log) { log.info("rest", "\xc0\xaf\xed\xa0\x80 cut \xe2\x82"); });
  ASSERT_EQ(lines.size(), 1u);
  const auto value = boost::json::parse(lines[0]).as_object();
  EXPECT_THAT(std::string(value.at("message").as_string()), HasSubstr("\xef\xbf\xbd"));
  EXPECT_FALSE(value.contains("fields"));
}

TEST_F(LogFile, LevelDecidesWhatIsWrittenAndCanChange) {
  const auto lines = lines_written(false, [](Log& log) {
    log.debug("a", "hidden");
    EXPECT_FALSE(log.enabled(Level::kDebug));
    log.set_level(Level::kDebug);
    EXPECT_TRUE(log.enabled(Level::kDebug));
    log.debug("a", "shown");
    log.set_level(Level::kError);
    log.warn("a", "hidden");
    log.error("a", "last");
  });
  EXPECT_THAT(lines, ElementsAre(EndsWith("DEBUG a  shown"), EndsWith("ERROR a  last")));
}

TEST_F(LogFile, LongTextIsCutAndMarked) {
  const auto lines = lines_written(false, [](Log& log) { log.info("a", std::string(100'000, 'x')); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LT(lines[0].size(), 5'000u);
  EXPECT_THAT(lines[0], EndsWith("xxx..."));
}

TEST_F(LogFile, ReopenWritesToANewFileAfterARotation) {
  const auto rotated = folder_ / "fermata.log.1";
  {
    Log log({.file = file_});
    log.info("a", "before");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (lines_of(file_).empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    std::filesystem::rename(file_, rotated);
    log.reopen();
    log.info("a", "after");
  }
  EXPECT_THAT(lines_of(rotated), ElementsAre(EndsWith("before")));
  EXPECT_THAT(lines_of(file_), ElementsAre(EndsWith("after")));
}

TEST_F(LogFile, AFileThatCannotBeOpenedIsNamed) {
  try {
    Log log({.file = (folder_ / "missing" / "fermata.log").string()});
    FAIL() << "opened";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("missing/fermata.log"));
    EXPECT_THAT(error.what(), HasSubstr("No such file"));
  }
}

/// Standard error as a pipe that nobody reads.
class StalledStderr {
 public:
  StalledStderr() : saved_(::dup(STDERR_FILENO)) {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    ::dup2(ends_[1], STDERR_FILENO);
  }
  ~StalledStderr() {
    ::dup2(saved_, STDERR_FILENO);
    for (const int fd : {saved_, ends_[0], ends_[1]}) ::close(fd);
  }

 private:
  int saved_;
  std::array<int, 2> ends_{};
};

TEST(Log, AReaderThatStallsHoldsUpNeitherWritersNorTheEnd) {
  const auto start = std::chrono::steady_clock::now();
  {
    const StalledStderr stalled;
    Log log(Log::Options{});
    for (int i = 0; i < 20'000; ++i) log.info("flood", "a line that is long enough to fill a pipe of 64 KiB before the loop ends");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(LogFile, ManyThreadsNeverMixTheirLines) {
  const auto lines = lines_written(false, [](Log& log) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&log] {
        for (int i = 0; i < 200; ++i) log.info("thread", "whole line", {{"end", "here"}});
      });
  });
  EXPECT_EQ(lines.size(), 800u);
  for (const auto& line : lines) EXPECT_THAT(line, EndsWith("INFO  thread  whole line end=here"));
}

}  // namespace
}  // namespace fermata::telemetry
