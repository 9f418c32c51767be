#pragma once
// A cluster in one thread: nodes with control planes on one state tree and one wire, driven by a manual clock.

#include "control/control_plane.hpp"
#include "support/fake_driver.hpp"
#include "support/fakes.hpp"
#include "support/manual_executor.hpp"
#include "telemetry/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::control {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

/// Counts what reaches the store.
class CountingStore final : public StateStore {
 public:
  CountingStore(std::shared_ptr<testing::FakeStateTree> tree, Executor& executor) : fake(std::move(tree), executor) {}

  Result<std::optional<StateEntry>> get(std::string_view path) override {
    ++gets;
    return fake.get(path);
  }
  Result<std::vector<StateEntry>> children(std::string_view path) override {
    ++lists;
    return fake.children(path);
  }
  Result<std::vector<Version>> write(std::span<const StateWrite> batch) override {
    ++writes;
    return fake.write(batch);
  }
  std::unique_ptr<Watch> watch(std::string_view path, WatchCallback callback) override {
    if (!watching) return std::make_unique<Watch>();
    return fake.watch(path, std::move(callback));
  }
  Health health() const override { return healthy ? fake.health() : Health{false, "said to be lost", {}}; }

  testing::FakeStateStore fake;
  int gets = 0;
  int lists = 0;
  int writes = 0;
  bool watching = true;  ///< false: watches never fire
  bool healthy = true;
};

/// Who stands for which lease, in order; the first one holds it.
struct LeaseBoard {
  struct Candidate {
    std::string node;
    Leases::Events events;
    Executor* executor = nullptr;
    bool deaf = false;  ///< stalled: not told
    testing::Fence fence = {};
  };
  using Line = std::list<std::shared_ptr<Candidate>>;

  std::map<std::string, Line, std::less<>> lines;
  std::uint64_t token = 0;
  bool vacant = false;  ///< nobody is granted anything, as between a holder's death and the end of its session

  void grant(const Line& line) {
    if (!line.empty() && !vacant) tell(line.front(), [number = ++token](Leases::Events& events) { events.on_granted(number); });
  }
  static void tell(const std::shared_ptr<Candidate>& candidate, std::function<void(Leases::Events&)> call) {
    if (candidate->deaf) return;
    candidate->executor->post([candidate, call = std::move(call)] { candidate->fence.run([&] { call(candidate->events); }); });
  }
};

/// A node's leases on a board that all nodes share.
class BoardLeases final : public Leases {
 public:
  BoardLeases(LeaseBoard& board, std::string node, Executor& executor) : board_(board), node_(std::move(node)), executor_(executor) {}

  std::unique_ptr<Campaign> campaign(std::string_view name, Events events) override {
    auto& line = board_.lines[std::string(name)];
    line.push_back(std::make_shared<LeaseBoard::Candidate>());
    line.back()->node = node_;
    line.back()->events = std::move(events);
    line.back()->executor = &executor_;
    if (line.size() == 1) board_.grant(line);
    return std::make_unique<BoardCampaign>(line, line.back(), board_);
  }
  Result<std::string> holder(std::string_view name) override {
    const auto& line = board_.lines[std::string(name)];
    return line.empty() || board_.vacant ? std::string() : line.front()->node;
  }

  /// This node's session ends, and another begins. @param stalled  it is not told of it.
  void lose(std::string_view name, bool stalled = false) {
    auto& line = board_.lines[std::string(name)];
    const auto own = std::ranges::find(line, node_, [](const auto& candidate) { return candidate->node; });
    (*own)->deaf = stalled;
    LeaseBoard::tell(*own, [](Events& events) { events.on_lost(); });
    line.splice(line.end(), line, own);
    board_.grant(line);
  }

 private:
  class BoardCampaign final : public Campaign {
   public:
    BoardCampaign(LeaseBoard::Line& line, std::shared_ptr<LeaseBoard::Candidate> candidate, LeaseBoard& board)
        : line_(line), candidate_(std::move(candidate)), board_(board) {}
    ~BoardCampaign() override {
      candidate_->fence.close();
      const bool held = line_.front() == candidate_;
      line_.remove(candidate_);
      if (held) board_.grant(line_);
    }

   private:
    LeaseBoard::Line& line_;
    std::shared_ptr<LeaseBoard::Candidate> candidate_;
    LeaseBoard& board_;
  };

  LeaseBoard& board_;
  const std::string node_;
  Executor& executor_;
};

inline ServiceSpec crr(std::vector<LocationSpec> locations = {{"paris"}, {"london"}}) {
  return {"crr", "replication", "backbeat-replication", false, std::move(locations)};
}

class Cluster;

/// One node. Its parts live as long as it; `plane` may die and come back, as a restarted process.
struct Node {
  Node(Cluster& owner, std::string name);

  /// Makes a control plane with `spec` on `driver` and starts it.
  void start(ServiceSpec spec = crr());
  /// As kill -9: nothing is withdrawn, the session ends.
  void crash();
  /// The same, but the session has not ended yet: it does when what is returned is destroyed.
  std::unique_ptr<CountingStore> crash_and_leave_session();

  Result<std::vector<Changed>> change(Change::Kind kind, std::string location, std::optional<WallTime> at = {}, std::string reason = {});
  Result<std::vector<Changed>> pause(std::string location, std::string reason = {}) {
    return change(Change::Kind::kPause, std::move(location), {}, std::move(reason));
  }
  Result<std::vector<Changed>> resume(std::string location) { return change(Change::Kind::kResume, std::move(location)); }
  Result<std::vector<Changed>> schedule(std::string location, WallTime at) {
    return change(Change::Kind::kSchedule, std::move(location), at);
  }
  Result<std::vector<Changed>> unschedule(std::string location) { return change(Change::Kind::kUnschedule, std::move(location)); }

  LocationView view(std::string_view location, std::string_view service = "crr") const {
    return plane->location(service, location).value();
  }
  std::vector<std::pair<std::string, AuditEntry>> audit(std::string before = {}, std::size_t limit = 100);
  std::vector<std::string> actions();

  Cluster& cluster;
  const std::string id;
  std::unique_ptr<CountingStore> store;
  testing::FakeFanout fanout;
  BoardLeases leases;
  testing::FakeKeyValueStore kv;
  testing::FakeDriver driver;
  std::unique_ptr<ControlPlane> plane;
};

class Cluster {
 public:
  WallTime now() const { return executor.now(); }
  void settle() { executor.run_ready(); }
  std::string data(const std::string& path) const {
    const auto node = tree->nodes.find(path);
    return node == tree->nodes.end() ? "" : node->second.data;
  }
  std::string state(const std::string& location) const { return data("/backbeat/replication/state/" + location); }
  /// A foreign program's write.
  void force(const std::string& location, const std::string& state) {
    testing::FakeStateStore(tree, executor).force("/backbeat/replication/state/" + location, state);
  }
  /// A foreign program's message.
  void publish(const std::string& location, const std::string& message) {
    ASSERT_TRUE(testing::FakeFanout(wire, executor).publish("backbeat-replication-" + location, message));
  }
  std::vector<std::string> messages() {
    std::vector<std::string> texts;
    for (auto& [channel, text] : std::exchange(wire->sent, {})) texts.push_back(channel + " " + text);
    return texts;
  }

  testing::ManualExecutor executor;
  LeaseBoard board;
  telemetry::Log log{{telemetry::Level::kError, false, "/dev/null"}};
  std::shared_ptr<testing::FakeStateTree> tree = std::make_shared<testing::FakeStateTree>();
  std::shared_ptr<testing::FakeWire> wire = std::make_shared<testing::FakeWire>();
};

inline Node::Node(Cluster& owner, std::string name)
    : cluster(owner),
      id(std::move(name)),
      store(std::make_unique<CountingStore>(owner.tree, owner.executor)),
      fanout(owner.wire, owner.executor),
      leases(owner.board, id, owner.executor) {}

inline void Node::start(ServiceSpec spec) {
  plane = std::make_unique<ControlPlane>(
      ControlPlane::Options{.node_id = id, .node_address = "http://" + id, .node_version = "1"},
      ControlPlane::Dependencies{*store, fanout, leases, kv, cluster.executor, cluster.executor, cluster.log});
  ASSERT_TRUE(plane->add_service(std::move(spec), &driver));
  plane->start();
  cluster.settle();
}

inline void Node::crash() { crash_and_leave_session(); }

inline std::unique_ptr<CountingStore> Node::crash_and_leave_session() {
  store->fake.set_down("crashed");
  plane.reset();
  return std::exchange(store, std::make_unique<CountingStore>(cluster.tree, cluster.executor));
}

inline Result<std::vector<Changed>> Node::change(Change::Kind kind, std::string location, std::optional<WallTime> at, std::string reason) {
  std::optional<Result<std::vector<Changed>>> result;
  plane->change({kind, "crr", std::move(location), at, std::move(reason), "alice"}, [&](auto answer) { result = std::move(answer); });
  cluster.settle();
  for (int i = 0; i < 100 && !result; ++i) cluster.executor.advance(50ms);
  return result ? *std::move(result) : Status(Code::kInternal, "never answered");
}

inline std::vector<std::pair<std::string, AuditEntry>> Node::audit(std::string before, std::size_t limit) {
  std::vector<std::pair<std::string, AuditEntry>> entries;
  plane->audit(std::move(before), limit, [&](auto page) { entries = *std::move(page); });
  cluster.settle();
  return entries;
}

inline std::vector<std::string> Node::actions() {
  std::vector<std::string> names;
  for (const auto& [entry_id, entry] : audit()) names.push_back(entry.action);
  return names;
}

}  // namespace fermata::control
