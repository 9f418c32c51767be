#pragma once

#include "journal/directory_watcher.hpp"
#include "journal/due_paths.hpp"
#include "journal/journal.hpp"
#include "journal/journal_writer.hpp"
#include "journal/source_scan.hpp"
#include "model/settings.hpp"
#include "store/filesystem_source.hpp"

#include <fermata/sdk/host.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace fermata::crr {

/// A directory tree as a journal. Notifications say which paths to look at; what is journaled is the difference between
/// what the index knows and what stands there, so a lost notification costs a scan and nothing else. Each first poll of
/// a holder begins with a scan of everything.
///
/// Bounds: 50,000 paths and 10,000 directories wait; beyond, everything is scanned. A poll takes 100 ms or 1,000 records.
class FilesystemJournal final : public Journal {
 public:
  using MakeWatcher = std::function<Result<std::unique_ptr<DirectoryWatcher>>()>;

  /// @param host  borrowed; outlives this. @param populator  name to wake. @param locations  that records name.
  FilesystemJournal(const sdk::Host& host, std::string populator, std::shared_ptr<const SourceRoot> root, JournalSettings settings,
                    std::vector<std::string> locations, MakeWatcher make_watcher);
  ~FilesystemJournal() override;

  Status start() override;
  void stop() override;
  void poll(std::string checkpoint, sdk::Batch batch) override;
  std::string degraded() const override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Request {
    std::string checkpoint;
    sdk::Batch batch;
  };

  void run();
  void wait();
  std::optional<Request> take_request();
  void ring() const;

  void collect_changes();
  void note(const Change& change);
  void add_due(const std::string& path, Clock::duration delay, bool complete, Clock::time_point since);
  void add_directory(const std::string& path);

  void serve(Request request);
  Status fill(Request& request);
  Result<bool> step(int root, sdk::Batch& batch);
  Status look_at(int root, const DuePaths::Path& due, sdk::Batch& batch);
  Status journal(sdk::Batch& batch, const std::string& path, const std::optional<struct stat>& info, bool complete,
                 Clock::time_point since);
  std::chrono::nanoseconds unsettled(const struct stat& info, bool complete) const;

  Result<bool> begin_scan();
  void end_scan();
  void watch(const std::string& path);
  void report_skipped(const std::string& path, std::string_view reason);
  void set_degraded(std::string reason);
  bool has_work() const;
  Clock::time_point next_event() const;

  const sdk::Host& host_;
  const std::string populator_;
  const std::shared_ptr<const SourceRoot> root_;
  const JournalSettings settings_;
  const MakeWatcher make_watcher_;
  const sdk::Metric skipped_;
  const sdk::Metric lost_;
  const sdk::Metric watch_failures_;

  mutable std::mutex mutex_;  // guards the next three
  std::optional<Request> request_;
  bool running_ = false;
  std::string degraded_;

  // The journal thread's own.
  JournalWriter writer_;
  std::unique_ptr<DirectoryWatcher> watcher_;
  DuePaths due_;
  std::set<std::string> directories_;  // to be scanned
  bool scan_all_ = true;
  std::optional<SourceScan> scan_;
  std::string watch_problem_;     // met during the scan in hand
  std::size_t skips_logged_ = 0;  // during the scan in hand
  Clock::time_point next_rescan_ = Clock::time_point::max();
  bool woken_ = false;

  Fd bell_;  // eventfd: a poll came, or it is time to stop
  std::thread thread_;
};

}  // namespace fermata::crr
