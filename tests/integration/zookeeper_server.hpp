#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fermata::testing {

/// A ZooKeeper server of our own, in a temporary directory; it ends with this object, or with this process at the latest.
/// Throws std::runtime_error when it does not start, or does not answer in time.
class ZooKeeperServer {
 public:
  /// Whether there is one on this machine.
  static bool installed();

  /// @param properties  of Java, e.g. {"-Dname=value"}.
  explicit ZooKeeperServer(std::vector<std::string> properties = {});
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void start();  ///< with the data that is there
  void kill();   ///< with SIGKILL, waiting for its end

 private:
  bool answers() const;

  const std::vector<std::string> properties_;
  std::string directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace fermata::testing
