#include "journal/filesystem_journal.hpp"

#include "text/text.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fermata::crr {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxDuePaths = 50'000;
constexpr std::size_t kMaxDirectories = 10'000;
constexpr auto kPollTime = 100ms;
constexpr auto kMaxIdle = 30s;
constexpr int kMaxReads = 64;
/// A file that never comes to rest is journaled as it is when it was waited for so much longer, and again later.
constexpr auto kMaxUnsettled = 2s;
/// Instead of the rescan interval, while not all directories can be watched.
constexpr std::chrono::milliseconds kDegradedRescan = 30s;
constexpr std::size_t kMaxSkipsLogged = 20;

/// How much of `least_ns` is missing since `stamp_ns`. A stamp far in the future says nothing, and nothing is missing.
std::int64_t missing_ns(std::int64_t now_ns, std::int64_t stamp_ns, std::int64_t least_ns) {
  constexpr std::int64_t kFarFutureNs = 1'000'000'000;
  const std::int64_t age_ns = now_ns - stamp_ns;
  return age_ns < -kFarFutureNs ? 0 : std::max<std::int64_t>(0, least_ns - age_ns);
}

}  // namespace

FilesystemJournal::FilesystemJournal(const sdk::Host& host, std::string populator, std::shared_ptr<const SourceRoot> root,
                                     JournalSettings settings, std::vector<std::string> locations, MakeWatcher make_watcher)
    : host_(host),
      populator_(std::move(populator)),
      root_(std::move(root)),
      settings_(settings),
      make_watcher_(std::move(make_watcher)),
      skipped_(host.counter("crr_journal_skipped_total", "Entries of the source that are no objects, counted at every scan")),
      lost_(host.counter("crr_journal_lost_total", "Times that notifications were lost and everything was scanned")),
      watch_failures_(host.counter("crr_journal_watch_failures_total", "Directories that could not be watched, counted at every scan")),
      writer_(host, std::move(locations)),
      due_(kMaxDuePaths) {}

FilesystemJournal::~FilesystemJournal() { stop(); }

Status FilesystemJournal::start() {
  bell_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell_) return errno_status(errno, "eventfd");
  const std::lock_guard lock(mutex_);
  running_ = true;
  thread_ = std::thread([this] { run(); });
  return Status::ok();
}

void FilesystemJournal::stop() {
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  if (!thread_.joinable()) return;
  ring();
  thread_.join();
  if (auto open = take_request()) open->batch.finish(open->checkpoint);
}

void FilesystemJournal::poll(std::string checkpoint, sdk::Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (running_) {
      request_.emplace(Request{std::move(checkpoint), std::move(batch)});
      return ring();
    }
  }
  batch.finish(checkpoint, kMaxIdle);
}

std::string FilesystemJournal::degraded() const {
  const std::lock_guard lock(mutex_);
  return degraded_;
}

void FilesystemJournal::ring() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof one);
}

std::optional<FilesystemJournal::Request> FilesystemJournal::take_request() {
  const std::lock_guard lock(mutex_);
  return std::exchange(request_, std::nullopt);
}

void FilesystemJournal::run() {
  const auto is_running = [this] {
    const std::lock_guard lock(mutex_);
    return running_;
  };
  while (is_running()) {
    wait();
    collect_changes();
    if (auto request = take_request()) {
      serve(std::move(*request));
    } else if (!woken_ && has_work()) {
      woken_ = true;
      host_.wake_populator(populator_);
    }
  }
}

void FilesystemJournal::wait() {
  pollfd files[] = {{bell_.get(), POLLIN, 0}, {watcher_ ? watcher_->fd() : -1, POLLIN, 0}};
  const auto until = woken_ ? Clock::now() + kMaxIdle : next_event();
  const auto delay = std::clamp<Clock::duration>(until - Clock::now(), 0ms, kMaxIdle);
  ::poll(files, std::size(files), static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(delay).count()));
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(bell_.get(), &count, sizeof count);
}

void FilesystemJournal::collect_changes() {
  for (int i = 0; watcher_ && i < kMaxReads; ++i) {
    const auto changes = watcher_->read();
    if (changes.empty()) return;
    for (const auto& change : changes) note(change);
  }
}

void FilesystemJournal::note(const Change& change) {
  switch (change.kind) {
    case Change::Kind::kWritten: return add_due(change.path, 0ms, true, Clock::now());
    case Change::Kind::kTouched:
    case Change::Kind::kGone: return add_due(change.path, 0ms, false, Clock::now());
    case Change::Kind::kDirectoryCame:
    case Change::Kind::kDirectoryWent: return add_directory(change.path);
    case Change::Kind::kLost:
      host_.warn("notifications about the source " + root_->path() + " were lost; scanning all of it");
      lost_.record(1);
      scan_all_ = true;
  }
}

void FilesystemJournal::add_due(const std::string& path, Clock::duration delay, bool complete, Clock::time_point since) {
  if (!why_no_object(path).empty()) return;
  if (!due_.add(path, Clock::now() + delay, complete, since)) scan_all_ = true;
}

void FilesystemJournal::add_directory(const std::string& path) {
  if (directories_.size() >= kMaxDirectories) {
    directories_.clear();
    scan_all_ = true;
  } else if (text::is_utf8(path)) {
    directories_.insert(path);
  }
}

void FilesystemJournal::serve(Request request) {
  woken_ = false;
  if (auto status = fill(request); !status) return request.batch.fail(status);
  const auto now = Clock::now();
  const auto idle = has_work() ? Clock::duration(0) : std::clamp<Clock::duration>(next_event() - now, 1ms, kMaxIdle);
  request.batch.finish(writer_.finish(), std::chrono::ceil<std::chrono::milliseconds>(idle));
}

Status FilesystemJournal::fill(Request& request) {
  auto begun = writer_.begin(request.checkpoint);
  if (!begun) return begun.status();
  if (begun->anew) {
    scan_.reset();
    scan_all_ = true;
  }
  for (const auto& path : begun->unacknowledged) add_due(path, 0ms, true, Clock::now());
  const auto root = root_->open();
  if (!root) {
    scan_.reset();
    scan_all_ = true;
    return root.status();
  }
  const auto until = Clock::now() + kPollTime;
  while (!writer_.full() && Clock::now() < until) {
    const auto more = step(root->get(), request.batch);
    if (!more && more.status().code() == Code::kResourceExhausted) return Status::ok();
    if (!more) return more.status();
    if (!*more) return Status::ok();
  }
  return Status::ok();
}

Result<bool> FilesystemJournal::step(int root, sdk::Batch& batch) {
  if (const auto due = due_.take(Clock::now())) {
    if (auto status = look_at(root, *due, batch); !status) {
      add_due(due->path, 0ms, due->complete, due->since);
      return status;
    }
    return true;
  }
  if (!scan_) return begin_scan();
  std::optional<SourceScan::Found> found;
  const auto more = scan_->step(found);
  if (!more) return more;
  if (!*more) end_scan();
  if (!found) return true;
  if (auto status = journal(batch, found->path, found->info, false, Clock::now()); !status) {
    add_due(found->path, 0ms, false, Clock::now());
    return status;
  }
  return true;
}

Status FilesystemJournal::look_at(int root, const DuePaths::Path& due, sdk::Batch& batch) {
  const auto info = stat_beneath(root, due.path);
  if (info && S_ISREG(info->st_mode)) return journal(batch, due.path, *info, due.complete, due.since);
  if (info || info.status().code() == Code::kNotFound) return journal(batch, due.path, std::nullopt, true, due.since);
  if (info.status().retryable()) return info.status();
  report_skipped(due.path, info.status().message());
  return Status::ok();
}

Status FilesystemJournal::journal(sdk::Batch& batch, const std::string& path, const std::optional<struct stat>& info, bool complete,
                                  Clock::time_point since) {
  const auto delay = info ? unsettled(*info, complete) : 0ns;
  const bool waited_enough = Clock::now() - since > settings_.settle + kMaxUnsettled;
  if (delay > 0ns) add_due(path, delay, complete, waited_enough ? Clock::now() : since);
  if (delay > 0ns && !waited_enough) return Status::ok();
  return writer_.examine(batch, path, info);
}

std::chrono::nanoseconds FilesystemJournal::unsettled(const struct stat& info, bool complete) const {
  const std::int64_t now_ns = file_clock_ns();
  const std::int64_t tick_ns = missing_ns(now_ns, to_ns(info.st_ctim), kTickNs);
  if (complete) return std::chrono::nanoseconds(tick_ns);
  const std::int64_t settle_ns = std::chrono::nanoseconds(settings_.settle).count();
  return std::chrono::nanoseconds(std::max(tick_ns, missing_ns(now_ns, to_ns(info.st_mtim), settle_ns)));
}

Result<bool> FilesystemJournal::begin_scan() {
  if (Clock::now() >= next_rescan_) scan_all_ = true;
  if (!scan_all_ && directories_.empty()) return false;
  auto root = root_->open();
  if (!root) return root.status();
  std::string path;
  if (scan_all_) {
    directories_.clear();
    watch_problem_.clear();
    skips_logged_ = 0;
    next_rescan_ = Clock::time_point::max();
  } else {
    path = directories_.extract(directories_.begin()).value();
  }
  scan_all_ = false;
  scan_.emplace(*root_, writer_.index(), std::move(*root), std::move(path),
                TreeWalk::Hooks{[this](const std::string& directory) { watch(directory); },
                                [this](const std::string& entry, std::string_view reason) { report_skipped(entry, reason); }});
  return true;
}

void FilesystemJournal::end_scan() {
  const bool was_full = scan_->is_full();
  scan_.reset();
  if (was_full || !watch_problem_.empty()) set_degraded(watch_problem_);
  if (!was_full) return;
  next_rescan_ = Clock::now() + (watch_problem_.empty() ? settings_.rescan_interval : std::min(settings_.rescan_interval, kDegradedRescan));
  host_.debug("scanned the source " + root_->path());
}

void FilesystemJournal::watch(const std::string& path) {
  if (!watcher_) {
    auto made = make_watcher_();
    if (made) watcher_ = std::move(*made);
    if (!made) watch_problem_ = made.status().message();
  }
  if (!watcher_) return;
  const auto status = watcher_->watch(path);
  if (status || status.code() == Code::kNotFound) return;
  watch_failures_.record(1);
  watch_problem_ = status.message();
}

void FilesystemJournal::report_skipped(const std::string& path, std::string_view reason) {
  skipped_.record(1);
  if (++skips_logged_ > kMaxSkipsLogged) return;
  host_.warn("not replicated: " + text::printable(path) + ": " + std::string(reason));
}

void FilesystemJournal::set_degraded(std::string reason) {
  if (!reason.empty())
    reason =
        "not every directory of the source can be watched, so changes are found by a scan every " +
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(std::min(settings_.rescan_interval, kDegradedRescan)).count()) +
        " s: " + reason;
  {
    const std::lock_guard lock(mutex_);
    if (degraded_ == reason) return;
    degraded_ = reason;
  }
  reason.empty() ? host_.info("every directory of the source is watched again") : host_.warn(reason);
}

bool FilesystemJournal::has_work() const { return scan_all_ || scan_ || !directories_.empty() || next_event() <= Clock::now(); }

FilesystemJournal::Clock::time_point FilesystemJournal::next_event() const {
  return std::min(due_.next_due().value_or(Clock::time_point::max()), next_rescan_);
}

}  // namespace fermata::crr
