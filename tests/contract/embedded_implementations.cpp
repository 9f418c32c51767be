#include "contract/contract.hpp"
#include "contract/embedded_directory.hpp"

#include <memory>

namespace fermata::testing {
namespace {

template <typename Port, Port& (embedded::Backend::*get)()>
class EmbeddedProvider final : public Provider<Port> {
 public:
  EmbeddedProvider() { directory_.open(); }
  Port& port() override { return (directory_.open().*get)(); }
  void restart() override {
    directory_.close();
    directory_.open();
  }

 private:
  EmbeddedDirectory directory_;
};

template <typename Port, Port& (embedded::Backend::*get)()>
auto implementation() {
  return ::testing::Values(
      Implementation<Port>{.name = "embedded", .make = [] { return std::make_unique<EmbeddedProvider<Port, get>>(); }});
}

using embedded::Backend;
INSTANTIATE_TEST_SUITE_P(Embedded, StateStoreContract, (implementation<StateStore, &Backend::state>()));
INSTANTIATE_TEST_SUITE_P(Embedded, StateStoreBounds, (implementation<StateStore, &Backend::state>()));
INSTANTIATE_TEST_SUITE_P(Embedded, FanoutContract, (implementation<Fanout, &Backend::fanout>()));
INSTANTIATE_TEST_SUITE_P(Embedded, LeasesContract, (implementation<Leases, &Backend::leases>()));
INSTANTIATE_TEST_SUITE_P(Embedded, LeasesExclusion, (implementation<Leases, &Backend::leases>()));
INSTANTIATE_TEST_SUITE_P(Embedded, QueueContract, (implementation<Queue, &Backend::queue>()));
INSTANTIATE_TEST_SUITE_P(Embedded, QueueBounds, (implementation<Queue, &Backend::queue>()));
INSTANTIATE_TEST_SUITE_P(Embedded, KeyValueStoreContract, (implementation<KeyValueStore, &Backend::kv>()));
INSTANTIATE_TEST_SUITE_P(Embedded, KeyValueStoreBounds, (implementation<KeyValueStore, &Backend::kv>()));

}  // namespace
}  // namespace fermata::testing
