#include "plugin_abi/zoo_test.hpp"

namespace fermata::testing {
namespace {

class Frozen : public Zoo, public ::testing::WithParamInterface<std::string> {};

TEST_P(Frozen, PluginOfAbi10StillLoadsAndWorks) {
  const auto service = open(GetParam());
  ASSERT_NE(service, nullptr);
  service->start();
  service->apply("a", false);
  ASSERT_TRUE(reaches(*service, "a", ObservedState::kRunning));
  house.produce("zoo", "key", "value");
  ASSERT_TRUE(eventually([&] { return service->observe("a").processed == 1; }));
  EXPECT_EQ(house.kv.get("zoo", "key").value(), "value");
  service->apply("a", true);
  EXPECT_TRUE(reaches(*service, "a", ObservedState::kPaused));
  EXPECT_TRUE(service->stop(std::chrono::seconds(10)).is_ok());
}

INSTANTIATE_TEST_SUITE_P(Abi, Frozen, ::testing::Values("abi_1_0", "abi_1_0_least"), [](const auto& name) { return name.param; });

}  // namespace
}  // namespace fermata::testing
