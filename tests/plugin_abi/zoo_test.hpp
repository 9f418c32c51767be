#pragma once

#include "plugin_abi/house.hpp"

#include <gmock/gmock.h>

#include <string>

namespace fermata::testing {

using control::ObservedState;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The zoo of broken/, with short limits so that hangs are noticed soon.
class Zoo : public ::testing::Test {
 protected:
  static plugin::PluginHost::Options short_limits() {
    plugin::PluginHost::Options limits;
    limits.init_timeout = std::chrono::seconds(3);
    limits.hook_timeout = std::chrono::milliseconds(50);
    return limits;
  }

  std::unique_ptr<plugin::ServiceInstance> open(const std::string& name) {
    auto opened = house.open(name + ".so");
    EXPECT_TRUE(opened.is_ok()) << opened.status().text();
    return opened ? std::move(*opened) : nullptr;
  }
  /// Why the plugin is refused.
  std::string refusal(const std::string& name) {
    const auto opened = house.open(name + ".so");
    EXPECT_FALSE(opened.is_ok()) << name << " was loaded";
    EXPECT_THAT(opened.status().message(), HasSubstr(name + ".so")) << "the sentence names the file";
    return opened.status().message();
  }
  static bool reaches(const plugin::ServiceInstance& service, std::string_view location, ObservedState state) {
    const bool reached = eventually([&] { return service.observe(location).state == state; });
    if (!reached)
      ADD_FAILURE() << location << " is " << to_string(service.observe(location).state) << ": " << service.observe(location).message;
    return reached;
  }

  House house{ZOO_DIR, short_limits()};
};

}  // namespace fermata::testing
