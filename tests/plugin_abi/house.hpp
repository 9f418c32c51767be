#pragma once
// A host with everything a plugin needs, on fakes and real threads, and the zoo's plugins at hand.

#include "base/worker_pool.hpp"
#include "plugin/plugin_host.hpp"
#include "support/fake_queue.hpp"
#include "support/fakes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace fermata::testing {

/// Routes in a map, called by tests.
class FakeRoutes final : public HttpRoutes {
 public:
  Status add(std::string_view service, std::string_view method, std::string_view pattern, Handler handler) override {
    const std::lock_guard lock(mutex_);
    const bool added = routes_[std::string(service)].emplace(std::string(method) + " " + std::string(pattern), std::move(handler)).second;
    return added ? Status::ok() : Status(Code::kAlreadyExists, "route " + std::string(pattern) + " is taken");
  }
  void remove_all(std::string_view service) override {
    const std::lock_guard lock(mutex_);
    routes_.erase(std::string(service));
  }

  /// Null if there is no such route.
  Handler find(const std::string& service, const std::string& route) {
    const std::lock_guard lock(mutex_);
    const auto of_service = routes_.find(service);
    if (of_service == routes_.end()) return nullptr;
    const auto found = of_service->second.find(route);
    return found == of_service->second.end() ? nullptr : found->second;
  }

 private:
  std::mutex mutex_;  // guards all below
  std::map<std::string, std::map<std::string, Handler>> routes_;
};

/// Waits for a condition, at most 60 s. @return whether it came true.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fermata-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class House {
 public:
  /// @param plugin_dir  where plugin files without a "/" are.
  explicit House(std::string plugin_dir, plugin::PluginHost::Options limits = {})
      : log({.level = telemetry::Level::kDebug, .json = false, .file = dir / "log"}) {
    limits.plugin_dir = std::move(plugin_dir);
    limits.private_dir = dir / "private";
    limits.base_path = "/backbeat";
    host = std::make_unique<plugin::PluginHost>(
        limits, plugin::PluginHost::Dependencies{{queue, kv, store, leases, workers, control, clock, log, metrics}, routes, control});
  }
  ~House() {
    EXPECT_TRUE(eventually([this] { return host->stuck() == 0; })) << "a plugin still hangs: its test did not release it";
    host.reset();
    control.stop();
    workers.stop();
  }

  /// An extension with the locations a and b.
  static config::ExtensionConfig extension(const std::string& plugin_file, const std::string& service = "zoo") {
    config::ExtensionConfig extension;
    extension.name = service;
    extension.plugin = plugin_file;
    extension.path = "extensions[0]";
    extension.pipeline.retry_first = std::chrono::milliseconds(1);
    for (const std::string name : {"a", "b"}) {
      extension.locations.emplace_back();
      extension.locations.back().name = name;
      extension.locations.back().json = R"({"name":")" + name + R"("})";
    }
    return extension;
  }
  Result<std::unique_ptr<plugin::ServiceInstance>> open(const std::string& plugin_file) { return host->open(extension(plugin_file)); }

  /// Lets the zoo's hanging plugins go on.
  void release() const { std::ofstream(dir / "private/work/zoo/release").put('\n'); }

  void produce(const std::string& topic, const std::string& key, const std::string& value) {
    ASSERT_TRUE(queue.produce({{topic, key, value}}, [](const Status&) {}).is_ok());
  }
  /// Whether a line with `part` is logged soon; lines are written in the background.
  bool logs(const std::string& part) const {
    return eventually([&] { return content(dir / "log").find(part) != std::string::npos; });
  }

  TempDir dir;
  WorkerPool workers{"work", 2};
  WorkerPool control{"control", 1};
  SystemClock clock;
  telemetry::Log log;
  telemetry::Metrics metrics;
  FakeQueue queue{workers};
  FakeKeyValueStore kv;
  FakeStateStore store{std::make_shared<FakeStateTree>(), control};
  FakeLeases leases{control};
  FakeRoutes routes;
  std::unique_ptr<plugin::PluginHost> host;
};

}  // namespace fermata::testing
