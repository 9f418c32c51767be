#pragma once

#include "log_parser.hpp"

#include "http/client.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace fermata::ingestion {

/// Reads the log of one raft session from bucketd.
/// Threads: read from one at a time; interrupt and resume [any].
class LogClient {
 public:
  enum class Outcome { kRead, kNoSession, kBeyondEnd };

  LogClient(http::Endpoint endpoint, std::string ca_file, std::int64_t session);

  /// Reads at most `limit` records from `begin` on (nullopt: wherever the server begins) into `sink`. What was told to the sink
  /// counts, also when the end is an error. Blocks, at most as long as the server sends.
  /// kUnavailable: not reached, cut off, or refused; kDataLoss: not a log; what the sink returned.
  Result<Outcome> read(std::optional<std::int64_t> begin, std::int64_t limit, LogSink& sink);

  /// Ends a read that runs, and refuses others until `resume`.
  void interrupt() { client_.interrupt(); }
  void resume() { client_.resume(); }

 private:
  Result<Outcome> refused(http::Response& response, const std::string& target) const;

  const std::int64_t session_;
  http::Client client_;
};

}  // namespace fermata::ingestion
