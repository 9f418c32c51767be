#include "integration/zookeeper_admin.hpp"
#include "integration/zookeeper_fixture.hpp"
#include "support/fault_gate.hpp"

#include <chrono>
#include <random>
#include <string>
#include <utility>

namespace fermata::testing {
namespace {

using namespace std::chrono_literals;
using Kind = StateWrite::Kind;
using Steady = std::chrono::steady_clock;

struct Event {
  std::string node;
  std::uint64_t token = 0;  ///< 0: lost
  Steady::time_point at = Steady::now();
};

/// Two nodes, the first of them behind a gate.
class ZooKeeperLeases : public ::testing::Test {
 protected:
  void SetUp() override {
    if (zookeeper_server().empty()) GTEST_SKIP() << kNoZooKeeper;
    options_ = zookeeper_options();
    options_.session_timeout = 6s;
    gate_ = std::make_unique<FaultGate>(zookeeper_server());
  }

  std::unique_ptr<ZooKeeperNode> gated(const std::string& name) const {
    auto options = options_;
    options.servers = {gate_->address()};
    options.node_id = name;
    return std::make_unique<ZooKeeperNode>(options);
  }
  std::unique_ptr<ZooKeeperNode> direct(const std::string& name) const {
    auto options = options_;
    options.node_id = name;
    return std::make_unique<ZooKeeperNode>(options);
  }
  std::unique_ptr<Leases::Campaign> campaign(ZooKeeperNode& node, const std::string& name) {
    return node->leases().campaign(kLease, {[this, name](std::uint64_t token) {
                                              events_.add({name, token});
                                            },
                                            [this, name] { events_.add({name}); }});
  }
  /// The entries that stand for the lease.
  static std::vector<StateEntry> entries(ZooKeeperNode& node) {
    auto found = node->state().children("/fermata/leases/populator%2Fcrr%2Fjournal");
    return found ? *found : std::vector<StateEntry>();
  }
  static bool holds(ZooKeeperNode& node, const std::string& name) {
    const auto holder = node->leases().holder(kLease);
    return holder && *holder == name;
  }
  static StateWrite probe() { return {Kind::kEphemeral, "/probe", "x"}; }
  std::int64_t session_of_probe() const { return owner_of(zookeeper_server(), options_.chroot + "/probe"); }

  static constexpr const char* kLease = "populator/crr/journal";
  zookeeper::Backend::Options options_;
  std::unique_ptr<FaultGate> gate_;
  Calls<Event> events_;
};

TEST_F(ZooKeeperLeases, PassToTheNextNodeWhenTheHolderEnds) {
  const auto first = direct("n1");
  const auto second = direct("n2");
  auto holding = campaign(*first, "n1");
  ASSERT_TRUE(events_.reach(1));
  const auto waiting = campaign(*second, "n2");
  ASSERT_TRUE(eventually([&] { return entries(*first).size() == 2; }));
  EXPECT_TRUE(holds(*second, "n1"));
  EXPECT_EQ(events_.count(), 1u);
  holding.reset();
  ASSERT_TRUE(events_.reach(2));
  EXPECT_EQ(events_.all()[1].node, "n2");
  EXPECT_GT(events_.all()[1].token, events_.all()[0].token);
  EXPECT_TRUE(holds(*first, "n2"));
}

TEST_F(ZooKeeperLeases, AreLostByAHolderThatIsCutOffBeforeAnotherIsGrantedThem) {
  options_.session_timeout = 20s;
  const auto first = gated("n1");
  const auto second = direct("n2");
  const auto cut_off = campaign(*first, "n1");
  ASSERT_TRUE(events_.reach(1));
  const auto waiting = campaign(*second, "n2");
  ASSERT_TRUE(eventually([&] { return entries(*second).size() == 2; }));
  gate_->half_open();
  ASSERT_TRUE(events_.reach(3));
  const auto events = events_.all();
  EXPECT_EQ(events[1].node, "n1");
  EXPECT_EQ(events[1].token, 0u);
  EXPECT_EQ(events[2].node, "n2");
  EXPECT_GT(events[2].token, events[0].token);
  EXPECT_GT(events[2].at - events[1].at, 100ms);
  // The one that was cut off stands in line again.
  gate_->pass();
  EXPECT_TRUE(eventually([&] { return entries(*second).size() == 2; }));
  EXPECT_TRUE(holds(*first, "n2"));
  EXPECT_EQ(events_.count(), 3u);
}

TEST_F(ZooKeeperLeases, GoAndComeBackWithAGreaterTokenWhenNobodyElseWantsThem) {
  const auto node = gated("n1");
  const auto holding = campaign(*node, "n1");
  ASSERT_TRUE(events_.reach(1));
  gate_->half_open();
  ASSERT_TRUE(events_.reach(2));
  EXPECT_EQ(events_.all()[1].token, 0u);
  gate_->pass();
  ASSERT_TRUE(events_.reach(3));
  EXPECT_GT(events_.all()[2].token, events_.all()[0].token);
  EXPECT_TRUE(eventually([&] { return entries(*node).size() == 1; }));
}

TEST_F(ZooKeeperLeases, StayThroughAShortLossOfTheConnection) {
  options_.session_timeout = 30s;
  const auto node = gated("n1");
  ASSERT_TRUE(write_one((*node)->state(), probe()));
  const auto session = session_of_probe();
  const auto holding = campaign(*node, "n1");
  ASSERT_TRUE(events_.reach(1));
  for (int i = 0; i < 3; ++i) {
    gate_->cut();
    ASSERT_TRUE(eventually([&] { return !(*node)->state().health().ok; }));
    gate_->pass();
    ASSERT_TRUE(eventually([&] { return (*node)->state().health().ok; }));
  }
  EXPECT_EQ(session_of_probe(), session);
  EXPECT_TRUE(holds(*node, "n1"));
  EXPECT_EQ(entries(*node).size(), 1u);
  EXPECT_EQ(events_.count(), 1u);
}

TEST_F(ZooKeeperLeases, AreLostAndSoughtAgainWhenTheSessionExpires) {
  const auto first = direct("n1");
  const auto second = direct("n2");
  ASSERT_TRUE(write_one((*first)->state(), probe()));
  const auto holding = campaign(*first, "n1");
  ASSERT_TRUE(events_.reach(1));
  const auto waiting = campaign(*second, "n2");
  ASSERT_TRUE(eventually([&] { return entries(*first).size() == 2; }));
  expire(zookeeper_server(), session_of_probe());
  ASSERT_TRUE(events_.reach(3));
  std::uint64_t token = 0;
  for (const auto& event : events_.all())
    if (event.node == "n2") token = event.token;
  EXPECT_GT(token, events_.all()[0].token);
  EXPECT_TRUE(eventually([&] { return entries(*first).size() == 2; }));
  EXPECT_TRUE(holds(*first, "n2"));
}

TEST_F(ZooKeeperLeases, AreLostWhenSomebodyRemovesTheHoldersEntry) {
  const auto node = direct("n1");
  const auto holding = campaign(*node, "n1");
  ASSERT_TRUE(events_.reach(1));
  ASSERT_EQ(entries(*node).size(), 1u);
  ASSERT_TRUE(write_one((*node)->state(), {Kind::kPut, entries(*node)[0].path, "meddled with"}));
  ASSERT_TRUE(write_one((*node)->state(), {Kind::kRemove, entries(*node)[0].path}));
  ASSERT_TRUE(events_.reach(3));
  const auto events = events_.all();
  EXPECT_EQ(events[1].token, 0u);
  EXPECT_GT(events[2].token, events[0].token);
}

TEST_F(ZooKeeperLeases, GivenUpWithoutAConnectionAreFreeOnceItIsBack) {
  options_.session_timeout = 20s;  // longer than the test waits: it is not the session's end that frees it
  const auto first = gated("n1");
  const auto second = direct("n2");
  auto holding = campaign(*first, "n1");
  ASSERT_TRUE(events_.reach(1));
  const auto waiting = campaign(*second, "n2");
  ASSERT_TRUE(eventually([&] { return entries(*second).size() == 2; }));
  gate_->cut();
  ASSERT_TRUE(eventually([&] { return !(*first)->state().health().ok; }));
  holding.reset();
  const auto begin = Steady::now();
  gate_->pass();
  ASSERT_TRUE(events_.reach(2));
  EXPECT_LT(Steady::now() - begin, 10s);
  EXPECT_EQ(events_.all()[1].node, "n2");
}

// An entry whose making was not answered would keep the lease as long as the session lives.
TEST_F(ZooKeeperLeases, LeaveNoEntryBehindWhenAnswersAreLost) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  options_.session_timeout = 10s;
  const auto first = gated("n1");
  const auto second = direct("n2");
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    const auto before = events_.count();
    gate_->reset_after(random() % 400, i % 2 == 0 ? FaultGate::Sender::kServer : FaultGate::Sender::kClient);
    auto holding = campaign(*first, "n1");
    if (random() % 3 != 0) {
      ASSERT_TRUE(events_.reach(before + 1));
      EXPECT_GT(events_.all().back().token, last);
      last = events_.all().back().token;
    }
    holding.reset();
    gate_->pass();
    ASSERT_TRUE(eventually([&] { return entries(*second).empty(); })) << i;
  }
}

TEST_F(ZooKeeperLeases, OfOneNameAreHeldByOneAmongManyCampaigns) {
  const auto first = direct("n1");
  const auto second = direct("n2");
  std::vector<std::unique_ptr<Leases::Campaign>> campaigns;
  for (int i = 0; i < 20; ++i) campaigns.push_back(campaign(i % 2 == 0 ? *first : *second, std::to_string(i)));
  std::uint64_t last = 0;
  for (std::size_t granted = 1; granted <= 20; ++granted) {
    ASSERT_TRUE(events_.reach(granted));
    ASSERT_EQ(events_.count(), granted);
    const auto event = events_.all().back();
    EXPECT_GT(event.token, std::exchange(last, event.token));
    campaigns[static_cast<std::size_t>(std::stoi(event.node))].reset();
  }
}

}  // namespace
}  // namespace fermata::testing
