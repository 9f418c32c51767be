#pragma once

#include "filter.hpp"
#include "log_client.hpp"
#include "position.hpp"
#include "settings.hpp"

#include <fermata/sdk/host.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace fermata::ingestion {

/// Turns the log of one raft session into records for one location: the populator "log-<location>-<session>". A thread of its
/// own reads ahead while the host asks; it asks for nothing by itself. Positions move over whole entries only, so what was parsed
/// before an error is used, and read again at worst.
///
/// Lifecycle: construct -> (start -> (hold <-> release)* -> stop)* -> destroy.
/// Threads:   poll, hold, release, trouble and details [any]; start and stop [control].
class LogReader {
 public:
  struct Options {
    std::size_t max_records = 20'000;         ///< read ahead
    std::size_t max_bytes = 16u << 20;        ///< and their bytes; one record may exceed it alone
    std::int64_t read_limit = 10'000;         ///< records asked for at one time; the server's bound
    std::chrono::milliseconds patience{100};  ///< a poll is answered after it with what there is, while more is coming
  };

  /// @param host, location  borrowed; outlive this.
  LogReader(sdk::Host& host, const LocationSettings& location, std::int64_t session, std::string instance_id, http::Endpoint endpoint,
            Options options);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  void start();
  void stop();
  /// Reads nothing, and answers a poll that waits, until `release`.
  void hold();
  void release();

  /// Answers at once, or when the log was read.
  void poll(std::string_view checkpoint, sdk::Batch batch);

  std::string name() const { return "log-" + location_.name + "-" + std::to_string(session_); }
  /// Why the log cannot be read, or what it lacked; empty: nothing.
  std::string trouble() const;
  struct Details {
    std::int64_t session = 0;
    Position position;
    std::int64_t cseq = 0;  ///< 0: not known
    std::int64_t lag = 0;   ///< records of the log that are not in the queue yet, as far as known
    bool no_session = false;
  };
  /// Where it is; nullopt if the host has never asked, as another node reads.
  std::optional<Details> details() const;

 private:
  class Sink;
  struct Item {
    std::string key;
    std::string value;
    Position next;  // once it is in the queue
    std::size_t bytes() const { return key.size() + value.size(); }
  };
  /// How a poll ends.
  struct Reply {
    std::optional<sdk::Batch> batch;
    Status failure;
    std::vector<Item> items;
    Position next;
    std::chrono::milliseconds idle{0};
  };
  using Lock = std::unique_lock<std::mutex>;

  void run();
  Result<LogClient::Outcome> fetch(const Position& from, std::uint64_t term);
  Result<LogClient::Outcome> find_begin(std::uint64_t term);
  Result<LogClient::Outcome> look_beyond(Position from, std::uint64_t term);
  void finish_fetch(Lock& lock, const Result<LogClient::Outcome>& outcome, std::uint64_t term);
  /// Puts what was parsed into the buffer, waiting for room. kCancelled: nobody wants it any more.
  Status take(std::vector<Item>& items, const Position& read, std::uint64_t term);
  void set_position(const Position& position, std::uint64_t term);
  void set_cseq(std::int64_t cseq, std::uint64_t term);
  void count_lost(Position& position, std::int64_t records);
  void count_too_large(Position& position, std::string_view key);

  void reset(const Position& position);
  /// Moves what fits a batch from the buffer.
  void fill(Reply& reply);
  bool has_batch() const;
  void send(Reply reply);
  bool wants_more() const;
  bool is_current(std::uint64_t term) const { return !stopping_ && !held_ && term == term_; }

  sdk::Host& host_;
  const LocationSettings& location_;
  const std::int64_t session_;
  const Filter filter_;
  const Options options_;
  LogClient client_;
  sdk::Metric read_;
  sdk::Metric produced_;
  sdk::Metric lost_;
  sdk::Metric too_large_;
  sdk::Metric lag_;
  std::array<sdk::Metric, Filter::names.size()> filtered_;  // by Verdict

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool stopping_ = false;
  bool held_ = false;
  bool wanted_ = false;  // a read is to begin
  bool fetching_ = false;
  bool at_end_ = false;     // the last read came to the end of the log
  bool asked_ = false;      // by the host, ever
  std::uint64_t term_ = 0;  // counts up when what is read ahead becomes useless
  Position done_;           // what the host's next checkpoint should be
  Position read_to_;        // behind what is in the buffer
  std::deque<Item> buffer_;
  std::size_t buffer_bytes_ = 0;
  std::optional<sdk::Batch> waiting_;  // the poll that waits for the log
  Status failure_;                     // of the last read, to be told at the next poll
  std::string trouble_;                // likewise, until a read succeeds
  std::int64_t cseq_ = 0;
  bool no_session_ = false;  // the server knows no such session
  std::chrono::steady_clock::time_point fetch_began_;
  std::thread thread_;
};

}  // namespace fermata::ingestion
