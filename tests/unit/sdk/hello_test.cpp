#include "hello.hpp"

#include <fermata/testing/behaviour.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace fermata::sdk::testing {

struct HelloBehaviour {
  static const fermata_plugin& plugin() { return *fermata_plugin_entry(); }
  static std::string service() { return "hello"; }
  static std::string config() {
    return R"({"service":"hello","settings":{"period_ms":1000},"locations":[{"name":"here"},{"name":"there"}],"work_dir":"/tmp"})";
  }
  static std::vector<std::string> locations() { return {"here", "there"}; }
  static std::vector<std::string> bad_configs() {
    return {R"({"locations":[{"name":"here"},{"name":"here"}]})", R"({"settings":{"period_ms":"soon"}})", R"({"locations":[{}]})"};
  }
  static std::vector<Message> records() { return {{.key = "ada", .value = "Ada"}, {.key = "nobody", .value = ""}}; }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Hello, ServiceBehaviour, HelloBehaviour);

namespace {

class HelloTest : public ::testing::Test {
 protected:
  HelloTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hello-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~HelloTest() override { std::filesystem::remove_all(folder_); }

  void run(const std::string& settings, const std::string& locations) {
    const auto status = service.init(R"({"service":"hello","settings":)" + settings + R"(,"locations":)" + locations + "}");
    ASSERT_TRUE(status.is_ok()) << status.text();
    ASSERT_TRUE(service.start().is_ok());
  }
  static std::string read(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  std::string greetings() { return service.host().request("GET", "greetings")->result().body; }

  PluginInstance service{*fermata_plugin_entry(), "hello"};
  std::filesystem::path folder_;
};

TEST_F(HelloTest, GreetsAtEachLocationAndCounts) {
  run("{}", R"([{"name":"a"},{"name":"b"}])");
  EXPECT_EQ(service.host().deliver("greeter-a", {"k", "Ada"})->result().outcome, FERMATA_DONE);
  EXPECT_EQ(service.host().deliver("greeter-a", {"k", "Bob"})->result().outcome, FERMATA_DONE);
  EXPECT_EQ(greetings(), R"({"a":2,"b":0})");
  EXPECT_EQ(service.host().metric("hello_greetings_total"), 2);
}

TEST_F(HelloTest, AppendsALineForEachGreeting) {
  const auto file = folder_ / "lines";
  run(R"({"greeting":"good morning"})", R"([{"name":"a","path":")" + file.string() + R"("}])");
  service.host().deliver("greeter-a", {"k", "Ada"});
  service.host().deliver("greeter-a", {"k", "Bob"});
  EXPECT_EQ(read(file), "good morning, Ada\ngood morning, Bob\n");
  EXPECT_EQ(service.status("a").value(), "{}");
}

TEST_F(HelloTest, AsksForARetryWhileItsFileCannotBeWritten) {
  const auto file = folder_ / "missing" / "lines";
  run("{}", R"([{"name":"a","path":")" + file.string() + R"("}])");
  EXPECT_EQ(service.host().deliver("greeter-a", {"k", "Ada"})->result().outcome, FERMATA_RETRY);
  EXPECT_NE(service.status("a")->find("degraded"), std::string::npos) << *service.status("a");
  std::filesystem::create_directory(folder_ / "missing");
  EXPECT_EQ(service.host().deliver("greeter-a", {"k", "Ada"})->result().outcome, FERMATA_DONE);
  EXPECT_EQ(service.status("a").value(), "{}");
  EXPECT_EQ(greetings(), R"({"a":1})");
}

TEST_F(HelloTest, FailsARecordWithoutAName) {
  run("{}", R"([{"name":"a"}])");
  EXPECT_EQ(service.host().deliver("greeter-a", {"k", ""})->result().outcome, FERMATA_FAILED);
}

TEST_F(HelloTest, TicksOnlyWhenItHasAPeriodAndGoesOnFromItsCheckpoint) {
  run(R"({"period_ms":250})", R"([{"name":"a"}])");
  service.host().set_checkpoint("ticker", "41");
  const auto end = service.host().poll("ticker")->result();
  EXPECT_EQ(end.next_checkpoint, "42");
  EXPECT_EQ(end.idle, std::chrono::milliseconds(250));
  ASSERT_EQ(end.records.size(), 1u);
  EXPECT_EQ(end.records[0].value, "tick 42");
}

TEST_F(HelloTest, HasNoPopulatorWithoutAPeriod) {
  run("{}", "[]");
  EXPECT_TRUE(service.host().populators().empty());
}

TEST_F(HelloTest, PostedNamesBecomeRecordsBeforeTheAnswer) {
  run("{}", R"([{"name":"a"}])");
  const auto exchange = service.host().request("POST", "greet", "Ada");
  EXPECT_FALSE(exchange->ended());
  service.host().run_ready();
  EXPECT_EQ(exchange->result().status, 202);
  ASSERT_EQ(service.host().produced().size(), 1u);
  EXPECT_EQ(service.host().produced()[0].topic, "hello");
  EXPECT_EQ(service.host().request("POST", "greet", "")->result().status, 400);
}

TEST_F(HelloTest, SaysThatANameWasNotStored) {
  run("{}", R"([{"name":"a"}])");
  service.host().refuse_produce({Code::kResourceExhausted, "full"});
  EXPECT_EQ(service.host().request("POST", "greet", "Ada")->result().status, 503);
  service.host().refuse_produce(Status::ok());
  service.host().set_produce_result({Code::kUnavailable, "broker down"});
  const auto exchange = service.host().request("POST", "greet", "Ada");
  service.host().run_ready();
  EXPECT_EQ(exchange->result().status, 503);
}

TEST_F(HelloTest, GreetsFromManyThreadsAtOnce) {
  const auto file = folder_ / "lines";
  run("{}", R"([{"name":"a","path":")" + file.string() + R"("},{"name":"b"}])");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        service.host().deliver("greeter-a", {"k", "Ada"});
        service.host().deliver("greeter-b", {"k", "Ada"});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(greetings(), R"({"a":200,"b":200})");
  const auto lines = read(file);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 200);
}

TEST_F(HelloTest, HoldsTenThousandLocations) {
  std::string locations;
  for (int i = 0; i < 10'000; ++i) locations += (i == 0 ? "" : ",") + std::string(R"({"name":"l)") + std::to_string(i) + R"("})";
  FakeHost host;
  void* instance = nullptr;
  const auto& plugin = *fermata_plugin_entry();
  ASSERT_EQ(plugin.create(host.raw(), to_abi("hello"), &instance, nullptr), FERMATA_OK);
  const auto config = R"({"locations":[)" + locations + "]}";
  EXPECT_EQ(plugin.init(instance, to_abi(config), nullptr), FERMATA_OK);
  EXPECT_EQ(host.processors().size(), 10'000u);
  plugin.destroy(instance);
}

}  // namespace
}  // namespace fermata::sdk::testing
