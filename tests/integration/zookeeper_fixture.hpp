#pragma once
// A node's view of the ZooKeeper server that the environment names.

#include "adapters/zookeeper/zookeeper.hpp"
#include "base/random.hpp"
#include "contract/eventually.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace fermata::testing {

constexpr const char* kNoZooKeeper = "FERMATA_TEST_ZOOKEEPER is not set: name a ZooKeeper server as host:port";

/// "host:port", or empty.
inline std::string zookeeper_server() {
  const char* server = std::getenv("FERMATA_TEST_ZOOKEEPER");
  return server == nullptr ? "" : server;
}

/// Of the server given, in a part of its tree that nobody else uses.
inline zookeeper::Backend::Options zookeeper_options() {
  return {.servers = {zookeeper_server()}, .chroot = "/test-" + random_hex(8), .node_id = "node-1"};
}

/// An open backend, connected.
class ZooKeeperNode {
 public:
  explicit ZooKeeperNode(zookeeper::Backend::Options options, bool await_connection = true) {
    auto opened = zookeeper::Backend::open(std::move(options), clock_, log_);
    if (!opened) throw std::runtime_error(opened.status().text());
    backend_ = std::move(*opened);
    if (await_connection && !eventually([this] { return backend_->state().health().ok; }))
      throw std::runtime_error(backend_->state().health().reason);
  }

  zookeeper::Backend& operator*() const { return *backend_; }
  zookeeper::Backend* operator->() const { return backend_.get(); }

 private:
  SystemClock clock_;
  telemetry::Log log_{telemetry::Log::Options{.level = telemetry::Level::kError}};
  std::unique_ptr<zookeeper::Backend> backend_;
};

}  // namespace fermata::testing
