#include "contract/contract.hpp"
#include "integration/zookeeper_fixture.hpp"

#include <chrono>
#include <memory>
#include <optional>

namespace fermata::testing {
namespace {

using zookeeper::Backend;

template <typename Port, Port& (Backend::*get)()>
class ZooKeeperProvider final : public Provider<Port> {
 public:
  ZooKeeperProvider() { restart(); }
  Port& port() override { return ((**backend_).*get)(); }
  void restart() override {
    backend_.reset();
    backend_.emplace(options_);
  }

 private:
  static Backend::Options patient_options() {
    auto options = zookeeper_options();
    options.operation_timeout = std::chrono::seconds(30);
    return options;
  }

  const Backend::Options options_ = patient_options();
  std::optional<ZooKeeperNode> backend_;
};

// None without a server: then ZooKeeperServer.IsGiven says so.
template <typename Port, Port& (Backend::*get)()>
std::vector<Implementation<Port>> implementations() {
  if (zookeeper_server().empty()) return {};
  return {{.name = "zookeeper", .make = [] { return std::make_unique<ZooKeeperProvider<Port, get>>(); }}};
}

INSTANTIATE_TEST_SUITE_P(ZooKeeper, StateStoreContract, ::testing::ValuesIn(implementations<StateStore, &Backend::state>()));
INSTANTIATE_TEST_SUITE_P(ZooKeeper, StateStoreBounds, ::testing::ValuesIn(implementations<StateStore, &Backend::state>()));
INSTANTIATE_TEST_SUITE_P(ZooKeeper, LeasesContract, ::testing::ValuesIn(implementations<Leases, &Backend::leases>()));
INSTANTIATE_TEST_SUITE_P(ZooKeeper, LeasesExclusion, ::testing::ValuesIn(implementations<Leases, &Backend::leases>()));

TEST(ZooKeeperServer, IsGivenToTheContractSuites) {
  if (zookeeper_server().empty()) GTEST_SKIP() << kNoZooKeeper;
  const ZooKeeperNode node(zookeeper_options());
  EXPECT_TRUE(node->state().health().ok);
}

}  // namespace
}  // namespace fermata::testing
