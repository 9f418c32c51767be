#pragma once

#include <fermata/abi/plugin.h>
#include <fermata/testing/fake_host.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace fermata::sdk::testing {

/// One instance of a plugin's service on a FakeHost, driven through the C ABI as the daemon drives it; the plugin may be
/// written in C or C++. Destroys the instance at its end. Threads: one at a time.
class PluginInstance {
 public:
  /// @throw std::runtime_error if the plugin refuses to make an instance.
  PluginInstance(const fermata_plugin& plugin, std::string_view service) : plugin_(plugin) {
    auto error = make_error();
    const auto status = from_abi(plugin_.create(host_.raw(), to_abi(service), &instance_, &error), error);
    if (!status.is_ok()) throw std::runtime_error("create: " + status.text());
  }
  ~PluginInstance() {
    host_.drop_tasks();
    plugin_.destroy(instance_);
  }
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  FakeHost& host() { return host_; }

  Status init(std::string_view config) {
    auto error = make_error();
    auto status = from_abi(plugin_.init(instance_, to_abi(config), &error), error);
    host_.seal();
    return status;
  }
  Status start() {
    auto error = make_error();
    return from_abi(plugin_.start(instance_, &error), error);
  }
  Status pause(std::string_view location) {
    auto error = make_error();
    return from_abi(plugin_.pause(instance_, to_abi(location), &error), error);
  }
  Status resume(std::string_view location) {
    auto error = make_error();
    return from_abi(plugin_.resume(instance_, to_abi(location), &error), error);
  }
  /// The JSON that the plugin wrote.
  Result<std::string> status(std::string_view location) {
    std::string json;
    const auto keep = [](void* ctx, fermata_str data) { *static_cast<std::string*>(ctx) = from_abi(data); };
    auto error = make_error();
    auto status = from_abi(plugin_.status(instance_, to_abi(location), keep, &json, &error), error);
    if (!status.is_ok()) return status;
    return json;
  }
  /// Stops the service while the host's tasks run and its clock moves on (10 ms each millisecond), so that a plugin may
  /// wait for both.
  Status stop() {
    Promise<bool> stopped;
    std::thread worker([&] {
      while (!stopped.wait(std::chrono::milliseconds(1))) host_.advance(std::chrono::milliseconds(10));
    });
    auto error = make_error();
    auto status = from_abi(plugin_.stop(instance_, &error), error);
    stopped.end(true);
    worker.join();
    host_.drop_tasks();
    return status;
  }

 private:
  const fermata_plugin& plugin_;
  FakeHost host_;
  void* instance_ = nullptr;
};

}  // namespace fermata::sdk::testing
