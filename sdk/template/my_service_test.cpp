#include <fermata/testing/behaviour.hpp>

namespace fermata::sdk::testing {

struct MyServiceBehaviour {
  static const fermata_plugin& plugin() { return *fermata_plugin_entry(); }
  static std::string service() { return "my_service"; }
  static std::string config() { return R"({"service":"my_service","settings":{},"locations":[{"name":"here"}]})"; }
  static std::vector<std::string> locations() { return {"here"}; }
  static std::vector<std::string> bad_configs() { return {}; }
  static std::vector<Message> records() { return {{.key = "bucket/key", .value = "value"}}; }
};
INSTANTIATE_TYPED_TEST_SUITE_P(MyService, ServiceBehaviour, MyServiceBehaviour);

TEST(MyService, TakesARecordAndLogsItsKey) {
  PluginInstance service(*fermata_plugin_entry(), "my_service");
  ASSERT_TRUE(service.init(MyServiceBehaviour::config()).is_ok());
  ASSERT_TRUE(service.start().is_ok());
  EXPECT_EQ(service.host().deliver("taker-here", {.key = "k", .value = "v"})->result().outcome, FERMATA_DONE);
  EXPECT_TRUE(service.host().logged("took k"));
}

}  // namespace fermata::sdk::testing
