#include <fermata/sdk/plugin.hpp>
#include <fermata/testing/plugin_instance.hpp>

#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using fermata::sdk::Code;
using fermata::sdk::Host;
using fermata::sdk::LocationStatus;
using fermata::sdk::Status;
using fermata::sdk::testing::FakeHost;
using fermata::sdk::testing::PluginInstance;

/// Does what its configuration names, in whichever hook is called.
class Moody final : public fermata::sdk::ServiceExtension {
 public:
  Status init(Host&, std::string_view config) override {
    mood_ = config;
    return act("init");
  }
  Status start() override { return act("start"); }
  Status stop() override { return act("stop"); }
  Status pause(std::string_view location) override { return act("pause " + std::string(location)); }
  Status resume(std::string_view location) override { return act("resume " + std::string(location)); }
  LocationStatus status(std::string_view location) override {
    if (mood_ == "throw") throw std::runtime_error("status");
    if (location == "sick") return {LocationStatus::State::kFailed, "say \"aah\"\n", R"({"fever":39})"};
    if (location == "weak") return {LocationStatus::State::kDegraded, "", ""};
    return {};
  }

 private:
  Status act(const std::string& hook) const {
    if (mood_ == "throw") throw std::runtime_error(hook);
    if (mood_ == "refuse") return {Code::kUnavailable, hook};
    return Status::ok();
  }
  std::string mood_;
};

class Unmakeable final : public fermata::sdk::ServiceExtension {
 public:
  Unmakeable() { throw std::runtime_error("not today"); }
  Status init(Host&, std::string_view) override { return Status::ok(); }
};

}  // namespace

FERMATA_PLUGIN("test", "1.2.3", fermata::sdk::service<Moody>("moody"), fermata::sdk::service<Unmakeable>("unmakeable"))

namespace {

Status create(const fermata_host* host, std::string_view service) {
  void* instance = nullptr;
  auto error = fermata::sdk::make_error();
  auto status = fermata::sdk::from_abi(fermata_plugin_entry()->create(host, fermata::sdk::to_abi(service), &instance, &error), error);
  if (status.is_ok()) fermata_plugin_entry()->destroy(instance);
  return status;
}

TEST(Plugin, EntryReturnsOneConstantTable) {
  const fermata_plugin* plugin = fermata_plugin_entry();
  EXPECT_EQ(plugin, fermata_plugin_entry());
  EXPECT_EQ(fermata::sdk::from_abi(plugin->name), "test");
  EXPECT_EQ(fermata::sdk::from_abi(plugin->version), "1.2.3");
  EXPECT_EQ(plugin->abi_major, FERMATA_ABI_MAJOR);
}

TEST(Plugin, NamesItsServicesWhenAskedForAnother) {
  FakeHost host;
  EXPECT_TRUE(create(host.raw(), "moody").is_ok());
  const auto status = create(host.raw(), "other");
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "the plugin has no service 'other'; it has 'moody' 'unmakeable'");
}

TEST(Plugin, RefusesAHostOfAnotherMajorAndNamesBothSides) {
  FakeHost fake;
  fermata_host host = *fake.raw();
  host.abi_major = 9;
  const auto status = create(&host, "moody");
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("ABI 1"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("ABI 9"), std::string::npos) << status.message();
}

TEST(Plugin, FencesAThrowingConstructor) {
  FakeHost host;
  EXPECT_EQ(create(host.raw(), "unmakeable").text(), "INTERNAL: exception: not today");
}

TEST(Plugin, FencesEveryHook) {
  PluginInstance service(*fermata_plugin_entry(), "moody");
  EXPECT_EQ(service.init("throw").text(), "INTERNAL: exception: init");
  EXPECT_EQ(service.start().text(), "INTERNAL: exception: start");
  EXPECT_EQ(service.pause("l").text(), "INTERNAL: exception: pause l");
  EXPECT_EQ(service.resume("l").text(), "INTERNAL: exception: resume l");
  EXPECT_EQ(service.status("l").status().text(), "INTERNAL: exception: status");
  EXPECT_EQ(service.stop().text(), "INTERNAL: exception: stop");
}

TEST(Plugin, PassesTheStatusOfEveryHook) {
  PluginInstance service(*fermata_plugin_entry(), "moody");
  EXPECT_EQ(service.init("refuse").text(), "UNAVAILABLE: init");
  EXPECT_EQ(service.start().text(), "UNAVAILABLE: start");
  EXPECT_EQ(service.stop().text(), "UNAVAILABLE: stop");
}

TEST(Plugin, WritesItsStatusAsJson) {
  PluginInstance service(*fermata_plugin_entry(), "moody");
  ASSERT_TRUE(service.init("calm").is_ok());
  EXPECT_EQ(service.status("well").value(), "{}");
  EXPECT_EQ(service.status("weak").value(), R"({"state":"degraded"})");
  EXPECT_EQ(service.status("sick").value(), R"({"state":"failed","message":"say \"aah\"\u000a","details":{"fever":39}})");
}

TEST(Plugin, AHookMayBeCalledWithoutAnErrorBuffer) {
  FakeHost host;
  void* instance = nullptr;
  EXPECT_EQ(fermata_plugin_entry()->create(host.raw(), fermata::sdk::to_abi("other"), &instance, nullptr), FERMATA_NOT_FOUND);
}

}  // namespace
