#pragma once

#include "http/endpoint.hpp"
#include "http/time.hpp"

#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fermata::http {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// Finds the addresses of one host. The system's resolver blocks and cannot be told to stop, so that it runs on a thread
/// of its own while there is something to look up; whoever wants the same at that time waits for the same answer.
///
/// Threads: [any]. The destructor waits for a look-up that runs: as long as the system's resolver takes.
class NameLookup {
 public:
  NameLookup(std::string host, std::uint16_t port);
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  /// At least one address, in the system's order. kUnavailable: none, or not until `deadline`, or `interrupted` became true.
  Result<std::vector<Address>> find(Deadline deadline, const std::atomic<bool>& interrupted);
  /// Lets all that wait look at their `interrupted` again.
  void wake();

 private:
  using Answer = Result<std::vector<Address>>;

  void begin();
  void run();

  const std::string host_;
  const std::string port_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;              // guarded by mutex_
  bool running_ = false;            // guarded by mutex_
  std::shared_ptr<Answer> answer_;  // of the look-up that began last; guarded by mutex_
};

}  // namespace fermata::http
