#pragma once

#include <fermata/sdk/status.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::ingestion {

using sdk::Code;
using sdk::Result;
using sdk::Status;

/// What a log says about itself before its records. Absent: not told, or null.
struct LogInfo {
  std::optional<std::int64_t> start;  ///< number of the first record that follows
  std::optional<std::int64_t> cseq;   ///< of the last record that is committed
  std::optional<std::int64_t> prune;  ///< of the first record that is still there
};

/// One change of a bucket. Borrowed for the call.
struct LogEntry {
  std::string_view bucket;
  std::string_view key;
  std::string_view value;
  bool is_delete = false;
  bool has_key = false;
  bool has_value = false;
  bool is_too_large = false;  ///< key, value or type went beyond LogParser::kMaxEntryBytes and was dropped
};

/// Who is told what a log holds, in its order.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// Once, before any record. Not ok ends the parsing with it.
  virtual Status on_info(const LogInfo& info) = 0;
  /// Whether the entries of this bucket are to be kept; what is not wanted costs no memory.
  virtual bool wants(std::string_view bucket) = 0;
  virtual Status on_entry(const LogEntry& entry) = 0;
  virtual Status on_record_end() = 0;
  /// What was received so far has been told.
  virtual Status on_piece_end() { return Status::ok(); }
};

/// Reads a raft log in pieces of any size. What a piece completes is told at once, so what came before an error counts.
/// Memory: one entry, at most 2 * kMaxEntryBytes.
/// Threads: one at a time.
/// Errors:  kDataLoss: not a raft log, or cut off; what the sink returned.
class LogParser {
 public:
  /// More than any entry that fits a record of the queue.
  static constexpr std::size_t kMaxEntryBytes = (1u << 20) + (64u << 10);

  explicit LogParser(LogSink& sink);
  ~LogParser();
  LogParser(const LogParser&) = delete;
  LogParser& operator=(const LogParser&) = delete;

  Status feed(std::string_view piece);
  /// The log is to end here.
  Status end();

 private:
  class Handler;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fermata::ingestion
