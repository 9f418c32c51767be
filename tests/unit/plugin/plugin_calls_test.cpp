#include "plugin/plugin_calls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace fermata::plugin {
namespace {

using ::testing::HasSubstr;
using State = PluginStatus::State;

TEST(PluginStatus, OfAnEmptyObjectIsHealthy) {
  EXPECT_EQ(parse_plugin_status("{}"), PluginStatus{});
  EXPECT_EQ(parse_plugin_status(""), PluginStatus{});
}

TEST(PluginStatus, IsReadWithItsMessageAndDetails) {
  const auto status = parse_plugin_status(R"({"state":"failed","message":"no target","details":{"errno":2}})");
  EXPECT_EQ(status.state, State::kFailed);
  EXPECT_EQ(status.message, "no target");
  EXPECT_EQ(status.details_json, R"({"errno":2})");
}

TEST(PluginStatus, ThatCannotBeUnderstoodIsDegradedAndSaysSo) {
  for (const std::string& text : {std::string("{"), std::string("[]"), std::string(100'000, ' ')}) {
    EXPECT_EQ(parse_plugin_status(text).state, State::kDegraded);
    EXPECT_THAT(parse_plugin_status(text).message, HasSubstr("cannot be understood"));
  }
}

fermata_code create(const fermata_host*, fermata_str, void** instance, fermata_error*) {
  *instance = instance;
  return FERMATA_OK;
}

TEST(PluginCalls, ErrorsNameThePluginAndTheFunction) {
  fermata_plugin plugin = {};
  plugin.start = [](void*, fermata_error* error) { return sdk::to_abi(Status(Code::kUnavailable, "no network"), error); };
  PluginCalls calls(plugin, "crr");
  const auto started = calls.start();
  EXPECT_EQ(started.code(), Code::kUnavailable);
  EXPECT_EQ(started.message(), "plugin 'crr': start failed: no network");
}

TEST(PluginCalls, ExceptionsOfEveryKindAreErrors) {
  fermata_plugin plugin = {};
  plugin.pause = [](void*, fermata_str, fermata_error*) -> fermata_code { throw std::runtime_error("broken"); };
  plugin.resume = [](void*, fermata_str, fermata_error*) -> fermata_code { throw 7; };
  plugin.status = [](void*, fermata_str, fermata_sink, void*, fermata_error*) -> fermata_code { throw std::runtime_error("blind"); };
  PluginCalls calls(plugin, "crr");
  EXPECT_EQ(calls.pause("a").text(), "INTERNAL: plugin 'crr': pause threw an exception: broken");
  EXPECT_THAT(calls.resume("a").message(), HasSubstr("not a std::exception"));
  EXPECT_EQ(calls.status("a").state, State::kDegraded);
  EXPECT_THAT(calls.status("a").message, HasSubstr("blind"));
}

TEST(PluginCalls, FunctionsThatAnOldPluginDoesNotHaveSucceed) {
  PluginCalls calls({}, "old");
  EXPECT_TRUE(calls.pause("a").is_ok());
  EXPECT_TRUE(calls.resume("a").is_ok());
  EXPECT_EQ(calls.status("a"), PluginStatus{});
  calls.destroy();
}

TEST(PluginCalls, DestroyIsCalledOnceAndMayThrow) {
  static int destroyed = 0;
  fermata_plugin plugin = {};
  plugin.create = &create;
  plugin.destroy = [](void*) {
    ++destroyed;
    throw std::runtime_error("too late");
  };
  PluginCalls calls(plugin, "crr");
  ASSERT_TRUE(calls.create(nullptr, "crr").is_ok());
  calls.destroy();
  calls.destroy();
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace fermata::plugin
