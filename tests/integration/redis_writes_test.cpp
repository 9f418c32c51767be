#include "base/random.hpp"
#include "integration/redis_fixture.hpp"
#include "support/fault_gate.hpp"

#include <filesystem>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;

class RedisWrites : public RedisTest {};

/// A log in a file of its own.
class LogFile {
 public:
  ~LogFile() { std::filesystem::remove(path_); }
  telemetry::Log& log() { return log_; }
  std::string text() {
    log_.flush(1s);
    std::ostringstream all;
    all << std::ifstream(path_).rdbuf();
    return all.str();
  }
  bool says(std::string_view words) {
    return eventually([&] { return text().find(words) != std::string::npos; });
  }

 private:
  const std::string path_ = (std::filesystem::temp_directory_path() / ("fermata-log-" + random_hex(8))).string();
  telemetry::Log log_{{.level = telemetry::Level::kInfo, .file = path_}};
};

std::vector<KeyValueStore::Entry> all_of(redis::Backend& backend) {
  const auto found = backend.kv().scan("s", "", "", 100'000);
  EXPECT_TRUE(found) << found.status().text();
  return found ? *found : std::vector<KeyValueStore::Entry>();
}

TEST_F(RedisWrites, ThatWaitedWhileRedisWasDownArriveInOrder) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  const auto backend = open_ready(options({server.address()}));
  ASSERT_TRUE(backend->kv().put("s", "before", "kept"));
  ASSERT_EQ(value_of(*backend, "before"), "kept");
  server.kill();
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(backend->kv().put("s", "same", std::to_string(i)));
  ASSERT_TRUE(backend->kv().put("s", "gone", "x"));
  ASSERT_TRUE(backend->kv().remove("s", "gone"));
  Calls<int> written;
  backend->after_writes([&] { written.add(1); });
  EXPECT_EQ(written.count(), 0u);
  server.start();
  ASSERT_TRUE(written.reach(1));
  EXPECT_EQ(all_of(*backend), (std::vector<KeyValueStore::Entry>{{"before", "kept"}, {"same", "999"}}));
}

TEST_F(RedisWrites, AreThereOnceAndInOrderWhateverHappensToTheConnection) {
  RedisServer server;
  FaultGate gate(server.address());
  const auto backend = open_ready(options({gate.address()}));
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::map<std::string, std::string> model;
  std::size_t told = 0;
  Calls<std::size_t> written;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "k" + std::to_string(random() % 500);
    if (random() % 3 == 0) {
      ASSERT_TRUE(backend->kv().remove("s", key));
      model.erase(key);
    } else {
      model[key] = std::string(random() % 200, 'v') + std::to_string(step);
      ASSERT_TRUE(backend->kv().put("s", key, model[key]));
    }
    if (step % 100 == 0) backend->after_writes([&written, number = told++] { written.add(number); });
    if (step % 2'000 == 500) gate.reset_after(random() % 20'000);
    if (step % 2'000 == 1'500) gate.reset_after(random() % 20'000, FaultGate::Sender::kClient);
    if (step % 50 == 0) std::this_thread::yield();
  }
  gate.pass();
  ASSERT_TRUE(eventually([&] { return backend->kv().get("s", "k").is_ok(); }));
  ASSERT_TRUE(written.reach(told));
  const auto order = written.all();
  for (std::size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i);
  EXPECT_EQ(all_of(*backend), (std::vector<KeyValueStore::Entry>(model.begin(), model.end())));
  EXPECT_EQ(server.run({"ZCARD", "kv-keys:{s}"}), server.run({"HLEN", "kv:{s}"}));
}

TEST_F(RedisWrites, ThatRedisRefusesWaitInOrderAndShowInHealth) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  ASSERT_TRUE(backend->kv().put("s", "k", "before"));
  ASSERT_TRUE(backend->kv().put("s", "old", "x"));
  ASSERT_EQ(value_of(*backend, "old"), "x");
  server.run({"CONFIG", "SET", "maxmemory", "1"});
  ASSERT_TRUE(backend->kv().put("s", "k", "refused"));
  ASSERT_TRUE(backend->kv().remove("s", "old"));  // Redis would do this one
  ASSERT_TRUE(backend->kv().put("s", "k", "last"));
  Calls<int> written;
  backend->after_writes([&] { written.add(1); });
  ASSERT_TRUE(reports(*backend, "refuses writes: OOM"));
  EXPECT_NE(backend->fanout().health().reason.find("raise Redis's maxmemory"), std::string::npos);
  EXPECT_TRUE(backend->fanout().publish("c", "hints still go out"));
  EXPECT_EQ(server.run({"HGET", "kv:{s}", "k"}), "before");
  EXPECT_EQ(written.count(), 0u);
  server.run({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_TRUE(written.reach(1));
  EXPECT_EQ(all_of(*backend), (std::vector<KeyValueStore::Entry>{{"k", "last"}}));
  EXPECT_TRUE(eventually([&] { return backend->fanout().health().ok; }));
}

TEST_F(RedisWrites, WaitWhileTheMasterIsAReplica) {
  RedisServer server;
  RedisServer master;
  const auto backend = open_ready(options({server.address()}));
  server.run({"REPLICAOF", "127.0.0.1", std::to_string(master.port())});
  ASSERT_TRUE(eventually([&] { return server.run({"INFO", "replication"}).find("master_link_status:up") != std::string::npos; }));
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  ASSERT_TRUE(reports(*backend, server.address()));
  server.run({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(value_of(*backend, "k"), "v");
  EXPECT_TRUE(publishes(*backend));
}

TEST_F(RedisWrites, ToAKeyOfAnotherProgramAreNotDropped) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  server.run({"SET", "kv:{s}", "not a hash"});
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  ASSERT_TRUE(reports(*backend, "refuses writes: WRONGTYPE"));
  server.run({"DEL", "kv:{s}"});
  EXPECT_EQ(value_of(*backend, "k"), "v");
}

TEST_F(RedisWrites, AreToldOfAtOnceWhenNothingWaitsAndElseInOrderAfterwards) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  const auto here = std::this_thread::get_id();
  Calls<std::pair<int, std::thread::id>> told;
  backend->after_writes([&] { told.add({0, std::this_thread::get_id()}); });
  ASSERT_EQ(told.count(), 1u);
  EXPECT_EQ(told.all().front().second, here);
  server.hang(true);
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(backend->kv().put("s", std::to_string(i), "v"));
    backend->after_writes([&, i] { told.add({i, std::this_thread::get_id()}); });
    backend->after_writes([&, i] {
      told.add({i + 100, std::this_thread::get_id()});
      if (i == 10) backend->after_writes([&] { told.add({1'000, std::this_thread::get_id()}); });
    });
  }
  EXPECT_EQ(told.count(), 1u);
  server.hang(false);
  ASSERT_TRUE(told.reach(22));
  std::vector<int> order;
  for (const auto& [number, thread] : told.all()) {
    order.push_back(number);
    EXPECT_TRUE(number == 0 || thread != here);
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 101, 2, 102, 3, 103, 4, 104, 5, 105, 6, 106, 7, 107, 8, 108, 9, 109, 10, 110, 1'000}));
}

TEST_F(RedisWrites, AreRefusedWhenTheBufferIsFullAndTakenAgainLater) {
  RedisServer server;
  auto small = options({server.address()});
  small.write_buffer_bytes = 1u << 20;
  const auto backend = open_ready(std::move(small));
  server.stop();
  const std::string value(100u << 10, 'v');
  Status last;
  int taken = 0;
  for (; taken < 100 && (last = backend->kv().put("s", std::to_string(taken), value)); ++taken) {
  }
  EXPECT_EQ(last.code(), Code::kResourceExhausted);
  EXPECT_EQ(taken, 10);
  server.start();
  ASSERT_TRUE(eventually([&] { return backend->kv().put("s", "later", value).is_ok(); }));
  EXPECT_EQ(all_of(*backend).size(), 11u);
}

TEST_F(RedisWrites, LeaveReadsWaitingNoLongerThanTheTimeout) {
  RedisServer server;
  auto hasty = options({server.address()});
  hasty.operation_timeout = 300ms;
  const auto backend = open_ready(std::move(hasty));
  server.stop();
  ASSERT_TRUE(backend->kv().put("s", "k", "v"));
  const auto begin = std::chrono::steady_clock::now();
  const auto found = backend->kv().get("s", "k");
  EXPECT_EQ(found.status().code(), Code::kUnavailable);
  EXPECT_NE(found.status().message().find("within 300ms"), std::string::npos) << found.status().message();
  EXPECT_EQ(backend->kv().scan("s", "", "", 10).status().code(), Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  server.start();
  EXPECT_TRUE(eventually([&] { return value_of(*backend, "k") == "v"; }));
}

TEST_F(RedisWrites, AreNotWaitedForByAReadInACallback) {
  RedisServer server;
  const auto backend = open_ready(options({server.address()}));
  Calls<Code> found;
  ASSERT_TRUE(backend->fanout().subscribe({}, {nullptr, [&] { found.add(backend->kv().get("s", "k").status().code()); }}));
  ASSERT_TRUE(found.reach(1));
  EXPECT_EQ(found.all().front(), Code::kFailedPrecondition);
}

TEST_F(RedisWrites, AreFinishedBeforeTheEnd) {
  RedisServer server;
  for (int round = 0; round < 5; ++round) {
    const auto backend = open(options({server.address()}));
    for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(backend->kv().put("s", std::to_string(round) + "/" + std::to_string(i), "v"));
  }
  EXPECT_EQ(server.run({"HLEN", "kv:{s}"}), "5000");
}

TEST_F(RedisWrites, ThatAreLostAtTheEndAreSaidInTheLog) {
  RedisServer server;
  server.stop();
  LogFile file;
  auto hasty = options({server.address()});
  hasty.operation_timeout = 300ms;
  {
    auto backend = redis::Backend::open(std::move(hasty), clock_, file.log());
    ASSERT_TRUE(backend);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE((*backend)->kv().put("s", "k", "v"));
    ASSERT_TRUE(reports(**backend, "Connection refused"));
  }
  EXPECT_TRUE(file.says("3 writes are lost"));
  EXPECT_TRUE(file.says("Connection refused"));
}

TEST_F(RedisWrites, ToARedisThatForgetsAreWarnedOf) {
  RedisServer server({"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"});
  LogFile file;
  const auto forgetful = redis::Backend::open(options({server.address()}), clock_, file.log());
  EXPECT_TRUE(file.says("writes nothing to disk"));
  EXPECT_TRUE(file.says("maxmemory-policy allkeys-lru"));
}

TEST_F(RedisWrites, ToARedisThatKeepsThemAreNotWarnedOf) {
  RedisServer server({"--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"});
  LogFile file;
  const auto opened = redis::Backend::open(options({server.address()}), clock_, file.log());
  ASSERT_TRUE(opened);
  ASSERT_EQ(value_of(**opened, "k"), "(none)");  // asked after how Redis keeps data
  EXPECT_EQ(file.text().find("disk"), std::string::npos);
  EXPECT_EQ(file.text().find("maxmemory"), std::string::npos);
}

}  // namespace
}  // namespace fermata::testing
