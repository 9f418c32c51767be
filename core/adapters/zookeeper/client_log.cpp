#include "adapters/zookeeper/client_log.hpp"

#include <map>
#include <mutex>

namespace fermata::zookeeper {
namespace {

struct Logs {
  std::mutex mutex;                        // guards clients
  std::map<telemetry::Log*, int> clients;  // how many open clients each log has
};

// Never destroyed, so that there is no moment at exit at which the client must not write.
Logs& logs() {
  static auto* const logs = new Logs;
  return *logs;
}

}  // namespace

void ClientLog::add(telemetry::Log& log) {
  const std::lock_guard lock(logs().mutex);
  ++logs().clients[&log];
}

void ClientLog::remove(telemetry::Log& log) {
  const std::lock_guard lock(logs().mutex);
  if (--logs().clients[&log] == 0) logs().clients.erase(&log);
}

void ClientLog::write(const char* message) {
  // Under the lock, as a log must not go away meanwhile; it calls nothing of ours.
  const std::lock_guard lock(logs().mutex);
  for (const auto& [log, clients] : logs().clients) log->debug("zookeeper", message);
}

}  // namespace fermata::zookeeper
