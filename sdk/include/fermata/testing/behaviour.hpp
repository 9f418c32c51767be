#pragma once
// What every Fermata service does right, as a GoogleTest suite. An author describes the plugin and instantiates it:
//
//   struct HelloBehaviour {
//     static const fermata_plugin& plugin() { return *fermata_plugin_entry(); }
//     static std::string service() { return "hello"; }
//     static std::string config() { return R"({"service":"hello","settings":{},"locations":[{"name":"here"}]})"; }
//     static std::vector<std::string> locations() { return {"here"}; }       // those of config()
//     static std::vector<std::string> bad_configs() { return {...}; }        // each must be refused by init
//     static std::vector<fermata::sdk::testing::Message> records() { ... }   // delivered to every processor
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Hello, ServiceBehaviour, HelloBehaviour);
//
// in namespace fermata::sdk::testing, in a test that is built from the plugin's sources and linked with GoogleTest's main.

#include <fermata/testing/plugin_instance.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace fermata::sdk::testing {

template <typename Plugin>
class ServiceBehaviour : public ::testing::Test {
 protected:
  /// An instance that has been through init, or null and a failure.
  static std::unique_ptr<PluginInstance> initialised() {
    auto made = std::make_unique<PluginInstance>(Plugin::plugin(), Plugin::service());
    const auto status = made->init(Plugin::config());
    EXPECT_TRUE(status.is_ok()) << "init refuses config(): " << status.text();
    return status.is_ok() ? std::move(made) : nullptr;
  }
  /// An instance that has been started, or null and a failure.
  static std::unique_ptr<PluginInstance> started() {
    auto made = initialised();
    if (!made) return nullptr;
    const auto status = made->start();
    EXPECT_TRUE(status.is_ok()) << "start: " << status.text();
    return status.is_ok() ? std::move(made) : nullptr;
  }
  static std::vector<std::shared_ptr<FakeDelivery>> deliver_all(FakeHost& host) {
    std::vector<std::shared_ptr<FakeDelivery>> deliveries;
    for (const auto& processor : host.processors())
      for (const auto& record : Plugin::records()) deliveries.push_back(host.deliver(processor.name, record));
    return deliveries;
  }
  static void expect_clean_stop(PluginInstance& service) {
    const auto begin = std::chrono::steady_clock::now();
    const auto status = service.stop();
    EXPECT_TRUE(status.is_ok()) << "stop: " << status.text();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << "stop took too long";
    EXPECT_EQ(service.host().open_promises(), 0u) << "stop returned with deliveries, polls or requests still open";
    EXPECT_EQ(service.host().violations(), std::vector<std::string>());
  }
};

TYPED_TEST_SUITE_P(ServiceBehaviour);

TYPED_TEST_P(ServiceBehaviour, TableIsCompleteAndSpeaksOurAbi) {
  const fermata_plugin& plugin = TypeParam::plugin();
  EXPECT_EQ(&plugin, &TypeParam::plugin()) << "the entry must return the same table at every call";
  EXPECT_GE(plugin.struct_size, sizeof(fermata_plugin));
  EXPECT_EQ(plugin.abi_major, FERMATA_ABI_MAJOR);
  EXPECT_GT(plugin.name.size, 0u);
  EXPECT_GT(plugin.version.size, 0u);
  EXPECT_TRUE(plugin.create && plugin.destroy && plugin.init && plugin.start && plugin.stop && plugin.pause && plugin.resume &&
              plugin.status);
}

TYPED_TEST_P(ServiceBehaviour, RefusesAServiceThatItDoesNotHave) {
  FakeHost host;
  void* instance = nullptr;
  auto error = make_error();
  const auto code = TypeParam::plugin().create(host.raw(), to_abi("no-such-service"), &instance, &error);
  EXPECT_NE(code, FERMATA_OK);
  EXPECT_GT(error.text_size, 0u) << "an error needs a text";
}

TYPED_TEST_P(ServiceBehaviour, InitRefusesNonsenseAndSaysWhy) {
  std::vector<std::string> configs = TypeParam::bad_configs();
  configs.insert(configs.end(), {"", "{", "[]", "\"text\""});
  for (const auto& config : configs) {
    PluginInstance service(TypeParam::plugin(), TypeParam::service());
    const auto status = service.init(config);
    EXPECT_FALSE(status.is_ok()) << "accepted " << config;
    EXPECT_FALSE(status.message().empty()) << "refused without a reason: " << config;
  }
}

TYPED_TEST_P(ServiceBehaviour, CanBeDestroyedInEveryState) {
  { PluginInstance created(TypeParam::plugin(), TypeParam::service()); }
  this->initialised().reset();
  this->started().reset();
}

TYPED_TEST_P(ServiceBehaviour, StartsAndStopsCleanly) {
  auto service = this->started();
  ASSERT_TRUE(service);
  this->expect_clean_stop(*service);
}

TYPED_TEST_P(ServiceBehaviour, RegistersOnlyForItsLocations) {
  auto service = this->initialised();
  ASSERT_TRUE(service);
  const auto known = TypeParam::locations();
  const auto is_known = [&](const std::string& name) { return std::find(known.begin(), known.end(), name) != known.end(); };
  for (const auto& processor : service->host().processors())
    EXPECT_TRUE(processor.location.empty() ? !processor.group.empty() : is_known(processor.location))
        << processor.name << " works for '" << processor.location << "', which is not configured";
  for (const auto& populator : service->host().populators())
    EXPECT_TRUE(populator.location.empty() || is_known(populator.location)) << populator.name;
}

TYPED_TEST_P(ServiceBehaviour, PauseAndResumeAreIdempotentAndQuick) {
  auto service = this->started();
  ASSERT_TRUE(service);
  for (const auto& location : TypeParam::locations()) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(service->pause(location).is_ok()) << location;
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(service->resume(location).is_ok()) << location;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4)) << location;
  }
  this->expect_clean_stop(*service);
}

TYPED_TEST_P(ServiceBehaviour, StatusIsAJsonObjectAndQuick) {
  auto service = this->started();
  ASSERT_TRUE(service);
  for (const auto& location : TypeParam::locations()) {
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 5; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const auto status = service->status(location);
      best = std::min(best, std::chrono::steady_clock::now() - begin);
      ASSERT_TRUE(status.is_ok()) << status.status().text();
      EXPECT_TRUE(status->starts_with('{') && status->ends_with('}')) << *status;
    }
    EXPECT_LT(best, std::chrono::milliseconds(100)) << location;
  }
  this->expect_clean_stop(*service);
}

TYPED_TEST_P(ServiceBehaviour, EndsEveryDeliveryBeforeStopReturns) {
  auto service = this->started();
  ASSERT_TRUE(service);
  const auto deliveries = this->deliver_all(service->host());
  EXPECT_EQ(deliveries.empty(), service->host().processors().empty()) << "records() must not be empty";
  this->expect_clean_stop(*service);
}

TYPED_TEST_P(ServiceBehaviour, TakesARecordAgainWhenItIsDeliveredTwice) {
  auto service = this->started();
  ASSERT_TRUE(service);
  this->deliver_all(service->host());
  service->host().run_ready();
  this->deliver_all(service->host());
  this->expect_clean_stop(*service);
}

TYPED_TEST_P(ServiceBehaviour, EndsEveryPollBeforeStopReturns) {
  auto service = this->started();
  ASSERT_TRUE(service);
  for (const auto& populator : service->host().populators()) EXPECT_TRUE(service->host().poll(populator.name)) << populator.name;
  this->expect_clean_stop(*service);
}

TYPED_TEST_P(ServiceBehaviour, TwoInstancesDoNotDisturbEachOther) {
  auto first = this->started();
  auto second = this->started();
  ASSERT_TRUE(first && second);
  this->expect_clean_stop(*first);
  first.reset();
  this->deliver_all(second->host());
  this->expect_clean_stop(*second);
}

REGISTER_TYPED_TEST_SUITE_P(ServiceBehaviour, TableIsCompleteAndSpeaksOurAbi, RefusesAServiceThatItDoesNotHave,
                            InitRefusesNonsenseAndSaysWhy, CanBeDestroyedInEveryState, StartsAndStopsCleanly, RegistersOnlyForItsLocations,
                            PauseAndResumeAreIdempotentAndQuick, StatusIsAJsonObjectAndQuick, EndsEveryDeliveryBeforeStopReturns,
                            TakesARecordAgainWhenItIsDeliveredTwice, EndsEveryPollBeforeStopReturns, TwoInstancesDoNotDisturbEachOther);

}  // namespace fermata::sdk::testing
