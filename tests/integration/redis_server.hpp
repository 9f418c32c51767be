#pragma once

#include <hiredis/hiredis.h>

#include <sys/types.h>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::testing {

/// A redis-server of our own, in a temporary directory; it ends with this object, or with this process at the latest.
/// Throws std::runtime_error when it does not start, or does not answer in time.
class RedisServer {
 public:
  /// Whether there is a redis-server on this machine.
  static bool installed();

  /// @param arguments  further ones, e.g. {"--requirepass", "secret"}. Keeps its data over restarts.
  explicit RedisServer(std::vector<std::string> arguments = {});
  /// A Sentinel that watches `master` as "main", alone.
  static RedisServer sentinel(const RedisServer& master, const std::string& password);
  ~RedisServer();
  RedisServer(RedisServer&& other) noexcept;
  RedisServer& operator=(RedisServer&&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string unix_path() const { return directory_ + "/socket"; }

  void start();
  void stop();         ///< as an operator does, waiting for its end
  void kill();         ///< with SIGKILL, waiting for its end
  void hang(bool on);  ///< SIGSTOP, SIGCONT

  /// Runs one command over a connection of its own, logged in with `password` if given. @return the answer as text; an
  /// array as words joined by spaces.
  std::string run(std::initializer_list<std::string_view> words, const std::string& password = {}, int database = 0) const;

 private:
  RedisServer(std::string directory, std::uint16_t port, std::vector<std::string> command);
  void wait_for_end(int signal);
  bool answers() const;

  std::string directory_;
  std::uint16_t port_ = 0;
  std::vector<std::string> command_;
  pid_t pid_ = -1;
};

}  // namespace fermata::testing
