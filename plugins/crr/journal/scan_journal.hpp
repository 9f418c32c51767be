#pragma once

#include "journal/journal.hpp"
#include "journal/journal_index.hpp"
#include "journal/version_listing.hpp"
#include "model/record.hpp"
#include "model/rules.hpp"
#include "model/settings.hpp"
#include "replication/object_states.hpp"

#include <fermata/sdk/host.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fermata::crr {

/// A store's list of versions as a journal: one kSync record for each key that some rule wants and whose newest version is
/// not known to be at all its destinations. One scan, or one at an interval. The checkpoint tells how far the scan is, so that
/// it goes on where it was, on whatever node.
///
/// Bounds: a poll takes one page and then at most 500 ms, or 1,000 records; one page of the list is held at a time.
class ScanJournal final : public Journal {
 public:
  /// @param host, rules  borrowed; outlive this. @param interval  between the beginnings of two scans; 0: one scan.
  /// @param digest  see scan_digest: with another one everything is scanned again.
  ScanJournal(const sdk::Host& host, const Rules& rules, std::unique_ptr<VersionListing> listing, std::chrono::milliseconds interval,
              std::string digest);
  ~ScanJournal() override;

  Status start() override;
  /// Waits for a page that is being read; interrupt the listing's client before.
  void stop() override;
  void poll(std::string checkpoint, sdk::Batch batch) override;
  std::string degraded() const override;

  /// True once a scan under this digest was ended, on whatever node: every key that was there when it began has been journaled.
  /// May be behind by 10 s. [any]
  bool has_finished() const { return finished_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Request {
    std::string checkpoint;
    sdk::Batch batch;
  };
  /// Where a scan is; the checkpoint.
  struct Cursor {
    std::string digest = {};
    std::uint64_t round = 0;  ///< scans begun
    std::int64_t began_ms = 0;
    bool done = false;
    std::uint64_t keys = 0;   ///< looked at in this round
    std::string bucket = {};  ///< being listed; empty: the first
    std::string last = {};    ///< key that was looked at last
    std::string key_marker = {};
    std::string version_marker = {};
  };

  static Cursor parse(const std::string& checkpoint);
  static std::string format(const Cursor& cursor);

  void run();
  bool is_running() const;
  std::optional<Request> take_request();
  void serve(Request request);
  /// Begins a scan if it is time to. @return time until it is; zero or less: `cursor` is in a scan.
  std::chrono::milliseconds begin_if_due(Cursor& cursor) const;
  Status scan(Cursor& cursor, sdk::Batch& batch);
  Result<std::optional<std::string>> bucket_of(const Cursor& cursor);
  /// Looks at what the page tells. @return false: the batch is full.
  Result<bool> take(const std::string& bucket, const s3::VersionPage& page, Cursor& cursor, sdk::Batch& batch);
  Status look_at(const ObjectId& id, const s3::ListedVersion& newest, bool alone, sdk::Batch& batch);
  Result<bool> is_settled(const ObjectId& id, const s3::ListedVersion& newest, const std::vector<std::string>& destinations) const;
  void next_bucket(Cursor& cursor) const;
  static void move_to(std::string bucket, Cursor& cursor);
  void end_round(Cursor& cursor);
  void remember_finished();
  void look_for_finished();
  void set_degraded(const Status& status);
  std::int64_t now_ms() const;
  std::uint64_t next_version();

  const sdk::Host& host_;
  const Rules& rules_;
  const std::unique_ptr<VersionListing> listing_;
  const std::chrono::milliseconds interval_;
  const std::string digest_;
  const JournalIndex index_;
  const ObjectStates states_;
  const sdk::Metric keys_;
  const sdk::Metric records_;
  const sdk::Metric rounds_;
  const sdk::Metric running_scan_;
  std::atomic<bool> finished_{false};

  mutable std::mutex mutex_;  // guards the next three
  std::optional<Request> request_;
  bool running_ = false;
  std::string degraded_;
  std::condition_variable changed_;

  // The journal thread's own.
  std::vector<std::string> buckets_;  // sorted
  std::uint64_t buckets_round_ = 0;   // that they were listed for
  std::size_t emitted_ = 0;           // in the batch in hand
  std::uint64_t version_ = 0;

  std::thread thread_;
};

/// The same as long as the source, the rules and the names of the locations are.
std::string scan_digest(const Settings& settings);

}  // namespace fermata::crr
