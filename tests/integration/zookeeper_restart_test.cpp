#include "integration/zookeeper_admin.hpp"
#include "integration/zookeeper_fixture.hpp"
#include "integration/zookeeper_server.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <thread>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;
using Kind = StateWrite::Kind;

class ZooKeeperRestart : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ZooKeeperServer::installed()) GTEST_SKIP() << "no ZooKeeper server is installed: its restart was not checked";
  }
  void start(std::vector<std::string> properties = {}) {
    server_ = std::make_unique<ZooKeeperServer>(std::move(properties));
    options_.servers = {server_->address()};
  }

  std::unique_ptr<ZooKeeperServer> server_;
  zookeeper::Backend::Options options_{.servers = {}, .chroot = "/test", .node_id = "n1", .session_timeout = 30s, .operation_timeout = 30s};
};

TEST_F(ZooKeeperRestart, NothingAcknowledgedIsLostAndTheSessionGoesOn) {
  start();
  const ZooKeeperNode node(options_);
  ASSERT_TRUE(write_one(node->state(), {Kind::kEphemeral, "/nodes/n1", "x"}));
  const auto session = owner_of(server_->address(), "/test/nodes/n1");
  Calls<std::uint64_t> granted;
  Calls<int> lost;
  const auto campaign = node->leases().campaign("a", {[&](std::uint64_t token) { granted.add(token); }, [&] { lost.add(1); }});
  ASSERT_TRUE(granted.reach(1));
  Calls<int> heard;
  const auto watch = node->state().watch("/s", [&] { heard.add(1); });
  ASSERT_TRUE(heard.reach(1));

  std::atomic<bool> stop{false};
  std::set<std::string> acknowledged;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string path = "/s/" + std::to_string(i);
      if (write_one(node->state(), {Kind::kCreate, path, "x"})) acknowledged.insert(path);
    }
  });
  for (int round = 0; round < 2; ++round) {
    const auto before = heard.count();
    EXPECT_TRUE(heard.reach(before + 5));
    server_->kill();
    EXPECT_TRUE(eventually([&] { return !node->state().health().ok; }));
    server_->start();
    EXPECT_TRUE(eventually([&] { return node->state().health().ok; }));
  }
  const auto before = heard.count();
  EXPECT_TRUE(heard.reach(before + 5));
  stop = true;
  writer.join();

  const auto children = node->state().children("/s");
  ASSERT_TRUE(children) << children.status().text();
  std::set<std::string> there;
  for (const auto& child : *children) there.insert(child.path);
  for (const auto& path : acknowledged) EXPECT_TRUE(there.contains(path)) << path;
  EXPECT_EQ(owner_of(server_->address(), "/test/nodes/n1"), session);
  // The lease may have been lost: a server that starts can take a connection and not answer.
  EXPECT_TRUE(granted.reach(lost.count() + 1));
  const auto tokens = granted.all();
  EXPECT_TRUE(std::ranges::is_sorted(tokens, std::ranges::less_equal()));
  EXPECT_EQ(*node->leases().holder("a"), "n1");
}

TEST_F(ZooKeeperRestart, RefusedCredentialsAreShownWithTheUserAndTheFix) {
  start({"-Dzookeeper.DigestAuthenticationProvider.enabled=false"});
  options_.user = "fermata";
  options_.password = "secret";
  options_.session_timeout = 2s;
  const ZooKeeperNode node(options_, false);
  const auto refusal = [&] { return node->state().health().reason; };
  ASSERT_TRUE(eventually([&] { return refusal().find("'fermata'") != std::string::npos; })) << refusal();
  EXPECT_NE(refusal().find("zookeeper.password"), std::string::npos) << refusal();
  EXPECT_EQ(refusal().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace fermata::testing
