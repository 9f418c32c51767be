#include "adapters/zookeeper/session.hpp"
#include "adapters/zookeeper/watches.hpp"
#include "base/worker_pool.hpp"
#include "integration/zookeeper_admin.hpp"
#include "integration/zookeeper_fixture.hpp"

#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;
using Kind = StateWrite::Kind;
using Steady = std::chrono::steady_clock;

class ZooKeeperState : public ::testing::Test {
 protected:
  void SetUp() override {
    if (zookeeper_server().empty()) GTEST_SKIP() << kNoZooKeeper;
  }
  std::int64_t session_of(const std::string& path) const { return owner_of(zookeeper_server(), options_.chroot + path); }
  static void make_children(StateStore& store, const std::string& path, int count) {
    for (int i = 0; i < count;) {
      std::vector<StateWrite> batch;
      for (; i < count && batch.size() < 1'000; ++i) batch.push_back({Kind::kCreate, path + "/location-" + std::to_string(i), "{}"});
      ASSERT_TRUE(store.write(batch));
    }
  }

  zookeeper::Backend::Options options_ = zookeeper_options();
};

TEST_F(ZooKeeperState, AnEphemeralEntryOfAnotherNodeIsTakenOver) {
  const ZooKeeperNode mine(options_);
  auto theirs = std::make_unique<ZooKeeperNode>(options_);
  ASSERT_TRUE(write_one((*theirs)->state(), {Kind::kEphemeral, "/nodes/n1", "theirs"}));
  ASSERT_TRUE(write_one(mine->state(), {Kind::kEphemeral, "/nodes/n1", "mine"}));
  ASSERT_TRUE(write_one((*theirs)->state(), {Kind::kEphemeral, "/nodes/n2", "theirs"}));
  EXPECT_NE(session_of("/nodes/n1"), session_of("/nodes/n2"));
  theirs.reset();
  EXPECT_TRUE(eventually([&] { return mine->state().children("/nodes")->size() == 1; }));
  EXPECT_EQ((*mine->state().get("/nodes/n1"))->data, "mine");
}

TEST_F(ZooKeeperState, AnEphemeralEntryTakesAPersistentOnesPlaceUnlessItHasChildren) {
  const ZooKeeperNode node(options_);
  ASSERT_TRUE(write_one(node->state(), {Kind::kCreate, "/a", "x"}));
  ASSERT_TRUE(write_one(node->state(), {Kind::kCreate, "/b/c", "x"}));
  EXPECT_TRUE(write_one(node->state(), {Kind::kEphemeral, "/a", "y"}));
  EXPECT_NE(session_of("/a"), 0);
  const auto refused = write_one(node->state(), {Kind::kEphemeral, "/b", "y"});
  EXPECT_EQ(refused.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(refused.status().message().find("/b "), std::string::npos) << refused.status().message();
  const auto child = write_one(node->state(), {Kind::kCreate, "/a/child", "y"});
  EXPECT_EQ(child.status().code(), Code::kFailedPrecondition);
}

TEST_F(ZooKeeperState, AnEntryMayAppearSeveralTimesInABatch) {
  const ZooKeeperNode node(options_);
  const std::vector<StateWrite> batch{{Kind::kCreate, "/a/b", "1"},    {Kind::kPut, "/a/b", "2", 0}, {Kind::kEphemeral, "/a/b", "3"},
                                      {Kind::kEphemeral, "/a/b", "4"}, {Kind::kRemove, "/a/b"},      {Kind::kRemove, "/a"},
                                      {Kind::kEphemeral, "/a/c", "5"}, {Kind::kPut, "/a/c", "6", 0}};
  const auto versions = node->state().write(batch);
  ASSERT_TRUE(versions) << versions.status().text();
  EXPECT_EQ(*versions, (std::vector<Version>{0, 1, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(node->state().children("/a")->size(), 1u);
  EXPECT_EQ((*node->state().get("/a/c"))->data, "6");
  const auto again = node->state().write(batch);
  EXPECT_EQ(again.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(again.status().message().find("/a has children"), std::string::npos) << again.status().message();
}

TEST_F(ZooKeeperState, AVersionThatZooKeeperCannotHaveMatchesNothing) {
  const ZooKeeperNode node(options_);
  ASSERT_TRUE(write_one(node->state(), {Kind::kCreate, "/a", "x"}));
  for (const Version version : {Version{1} << 32, (Version{1} << 32) - 1, Version{-2}})
    EXPECT_EQ(write_one(node->state(), {Kind::kPut, "/a", "y", version}).status().code(), Code::kAborted) << version;
}

TEST_F(ZooKeeperState, ABatchLargerThanAMessageIsRefusedAndTheConnectionStays) {
  const ZooKeeperNode node(options_);
  ASSERT_TRUE(write_one(node->state(), {Kind::kEphemeral, "/probe", "x"}));
  const auto session = session_of("/probe");
  std::vector<StateWrite> batch;
  for (int i = 0; i < 1'000; ++i) batch.push_back({Kind::kCreate, "/many/" + std::to_string(i), std::string(900, 'x')});
  EXPECT_TRUE(node->state().write(batch));
  batch.clear();
  for (int i = 0; i < 3; ++i) batch.push_back({Kind::kCreate, "/large/" + std::to_string(i), std::string(400u << 10, 'x')});
  const auto refused = node->state().write(batch);
  EXPECT_EQ(refused.status().code(), Code::kInvalidArgument);
  EXPECT_NE(refused.status().message().find("/large/0"), std::string::npos);
  batch.pop_back();
  EXPECT_TRUE(node->state().write(batch));
  EXPECT_EQ(session_of("/probe"), session);
}

TEST_F(ZooKeeperState, ManyNodesMakeTheSameParentsAtOnce) {
  const ZooKeeperNode first(options_);
  const ZooKeeperNode second(options_);
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      auto& store = (i % 2 == 0 ? first : second)->state();
      for (int round = 0; round < 20; ++round) {
        const std::string path = "/r" + std::to_string(round) + "/a/b/c/" + std::to_string(i);
        if (!write_one(store, {i < 4 ? Kind::kCreate : Kind::kEphemeral, path, "x"})) ++failed;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(first->state().children("/r19/a/b/c")->size(), 8u);
}

TEST_F(ZooKeeperState, EntriesOfACreatorAreRefusedToOthersWithTheFix) {
  options_.user = "fermata";
  options_.password = "secret";
  options_.only_creator = true;
  const ZooKeeperNode owner(options_);
  ASSERT_TRUE(write_one(owner->state(), {Kind::kCreate, "/a/b", "x"}));
  EXPECT_EQ((*owner->state().get("/a/b"))->data, "x");
  auto strangers = options_;
  for (const char* password : {"wrong", ""}) {
    strangers.password = password;
    if (*password == '\0') strangers.user.clear();
    strangers.only_creator = false;
    const ZooKeeperNode stranger(strangers);
    const auto read = stranger->state().get("/a/b");
    EXPECT_EQ(read.status().code(), Code::kPermissionDenied) << read.status().text();
    EXPECT_NE(read.status().message().find("/a/b"), std::string::npos);
    EXPECT_NE(read.status().message().find("zookeeper.user"), std::string::npos);
    EXPECT_EQ(read.status().message().find("secret"), std::string::npos);
    EXPECT_EQ(stranger->state().children("/a").status().code(), Code::kPermissionDenied);
    EXPECT_EQ(write_one(stranger->state(), {Kind::kPut, "/a/b", "y"}).status().code(), Code::kPermissionDenied);
    EXPECT_EQ(write_one(stranger->state(), {Kind::kCreate, "/a/c/d", "y"}).status().code(), Code::kPermissionDenied);
  }
  const ZooKeeperNode again(options_);
  EXPECT_TRUE(write_one(again->state(), {Kind::kPut, "/a/b", "y"}));
}

TEST_F(ZooKeeperState, ChangesAmongTenThousandChildrenAreHeardForAFewRequests) {
  options_.operation_timeout = 30s;
  constexpr int kChildren = 10'000;
  const ZooKeeperNode node(options_);
  const ZooKeeperNode other(options_);
  const std::string path = "/backbeat/replication/state";
  make_children(other->state(), path, kChildren);
  ASSERT_TRUE(write_one(node->state(), {Kind::kEphemeral, "/probe", "x"}));
  const auto session = session_of("/probe");
  Calls<int> calls;
  auto begin = Steady::now();
  const auto watch = node->state().watch(path, [&] { calls.add(1); });
  ASSERT_TRUE(calls.reach(1));
  ASSERT_TRUE(node->state().get(path));  // answered after all that the watch has asked
  const auto watched_in = Steady::now() - begin;
  begin = Steady::now();
  const auto children = node->state().children(path);
  const auto read_in = Steady::now() - begin;
  ASSERT_TRUE(children) << children.status().text();
  EXPECT_EQ(children->size(), static_cast<std::size_t>(kChildren));
  const auto before = requests_of(zookeeper_server(), session);
  std::size_t heard = calls.count();
  begin = Steady::now();
  for (const auto& write : {StateWrite{Kind::kPut, path + "/location-77", "{1}"}, StateWrite{Kind::kCreate, path + "/new", "{}"},
                            StateWrite{Kind::kPut, path + "/new", "{2}"}, StateWrite{Kind::kRemove, path + "/location-78"}}) {
    ASSERT_TRUE(write_one(other->state(), write));
    ASSERT_TRUE(calls.reach(++heard)) << write.path;
  }
  const auto heard_in = Steady::now() - begin;
  const auto requests = requests_of(zookeeper_server(), session) - before;
  EXPECT_LE(requests, 12);
  const auto ms = [](auto duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); };
  std::cout << kChildren << " children: watched in " << ms(watched_in) << " ms, read in " << ms(read_in) << " ms; 4 changes heard in "
            << ms(heard_in) << " ms with " << requests << " requests\n";
}

TEST_F(ZooKeeperState, WatchesThatComeAndGoDoNotPileUp) {
  const ZooKeeperNode node(options_);
  make_children(node->state(), "/s", 50);
  ASSERT_TRUE(write_one(node->state(), {Kind::kEphemeral, "/probe", "x"}));
  Calls<int> calls;
  for (std::size_t i = 0; i < 100; ++i) {
    const auto before = calls.count();
    const auto watch = node->state().watch("/s", [&] { calls.add(1); });
    ASSERT_TRUE(calls.reach(before + 1));
  }
  const auto watches = four_letters(zookeeper_server(), "wchp");
  std::size_t own = 0;
  for (auto at = watches.find(options_.chroot); at != std::string::npos; at = watches.find(options_.chroot, at + 1)) ++own;
  EXPECT_LE(own, 53u);
  EXPECT_GE(own, 50u);
}

// The message that names all watched paths after a reconnect must not grow beyond what ZooKeeper takes.
TEST_F(ZooKeeperState, ChildrenBeyondTheLimitAreToldOfByTheClock) {
  const ZooKeeperNode other(options_);
  make_children(other->state(), "/s", 20);
  SystemClock clock;
  telemetry::Log log({.level = telemetry::Level::kError});
  WorkerPool dispatcher("test", 1);
  zookeeper::Session session({.client = {.servers = zookeeper_server(), .session_timeout = 10s}, .operation_timeout = 5s}, dispatcher,
                             clock, log);
  zookeeper::Watches watches(session, dispatcher, log, {.armed_bytes = 400, .blind_interval = 100ms});
  session.start({&watches});
  Calls<int> calls;
  auto watch = watches.add(options_.chroot + "/s", [&] { calls.add(1); });
  EXPECT_TRUE(calls.reach(4));
  watch.reset();
  dispatcher.stop();
}

}  // namespace
}  // namespace fermata::testing
