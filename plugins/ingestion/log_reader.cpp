#include "log_reader.hpp"

#include "record.hpp"
#include "text/text.hpp"

#include <algorithm>
#include <utility>

namespace fermata::ingestion {
namespace {

using namespace std::chrono_literals;

// The host's bounds: of a batch, and of a record that the queue takes.
constexpr std::size_t kShown = 200;  // bytes of a key, in a message
constexpr std::size_t kBatchRecords = 1'000;
constexpr std::size_t kBatchBytes = 8u << 20;
constexpr std::size_t kRecordBytes = 1u << 20;
// A read that finds no room for so long is given up; it is begun again when somebody asks.
constexpr auto kRoomPatience = 30s;
// How long a location is shown as degraded after something was lost.
constexpr std::int64_t kLossShownMs = 24LL * 3'600 * 1'000;

std::int64_t to_ms(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// Hears what a log says about itself, and no more.
class InfoSink final : public LogSink {
 public:
  Status on_info(const LogInfo& told) override {
    info = told;
    return Status::ok();
  }
  bool wants(std::string_view) override { return false; }
  Status on_entry(const LogEntry&) override { return Status::ok(); }
  Status on_record_end() override { return Status::ok(); }

  LogInfo info;
};

}  // namespace

/// Makes records of entries.
class LogReader::Sink final : public LogSink {
 public:
  /// @param is_first  nothing was read of this log yet, so nothing can be missing.
  Sink(LogReader& reader, const Position& from, std::uint64_t term, bool is_first)
      : reader_(reader), from_(from), term_(term), is_first_(is_first), at_(from) {}

  std::int64_t records() const { return records_; }
  const Position& at() const { return at_; }

  Status on_info(const LogInfo& info) override {
    if (info.cseq) reader_.set_cseq(*info.cseq, term_);
    record_ = info.start.value_or(from_.next);
    if (record_ <= from_.next) return Status::ok();
    const bool is_pruned = !info.prune || *info.prune > from_.next;
    if (is_pruned && !is_first_) reader_.count_lost(at_, record_ - from_.next);
    if (is_pruned && is_first_)
      reader_.host_.warn("the log of session " + std::to_string(reader_.session_) + " begins at " + std::to_string(record_) +
                             ": objects that have not changed since are not mirrored",
                         reader_.location_.name);
    at_.next = record_;
    at_.entries = 0;
    return Status::ok();
  }

  bool wants(std::string_view bucket) override {
    bucket_ = reader_.filter_.find(bucket);
    return bucket_ != nullptr;
  }

  Status on_entry(const LogEntry& entry) override {
    const std::int64_t index = entry_++;
    if (record_ < at_.next || (record_ == at_.next && index < at_.entries)) return Status::ok();
    at_.next = record_;
    at_.entries = index + 1;
    if (bucket_ == nullptr) {
      ++filtered_[static_cast<std::size_t>(Filter::Verdict::kOtherBucket)];
    } else if (entry.is_too_large) {
      reader_.count_too_large(at_, entry.key);
    } else {
      const auto verdict = reader_.filter_.judge(entry);
      verdict == Filter::Verdict::kPass ? keep(entry) : static_cast<void>(++filtered_[static_cast<std::size_t>(verdict)]);
    }
    return Status::ok();
  }

  Status on_record_end() override {
    ++records_;
    ++record_;
    entry_ = 0;
    if (record_ <= at_.next) return Status::ok();
    at_.next = record_;
    at_.entries = 0;
    return Status::ok();
  }

  Status on_piece_end() override {
    reader_.read_.record(static_cast<double>(records_ - std::exchange(counted_, records_)));
    for (std::size_t i = 0; i < filtered_.size(); ++i)
      if (const auto count = std::exchange(filtered_[i], 0); count > 0) reader_.filtered_[i].record(static_cast<double>(count));
    return reader_.take(items_, at_, term_);
  }

 private:
  void keep(const LogEntry& entry) {
    Item item;
    item.key = record_key(bucket_->target, entry.key);
    item.value = record_value(entry.is_delete, bucket_->target, entry.key, entry.value, {reader_.session_, record_});
    if (item.bytes() > kRecordBytes) return reader_.count_too_large(at_, entry.key);
    item.next = at_;
    items_.push_back(std::move(item));
  }

  LogReader& reader_;
  const Position from_;
  const std::uint64_t term_;
  const bool is_first_;
  Position at_;
  std::vector<Item> items_;
  const BucketSettings* bucket_ = nullptr;  // of the record; null: none of ours
  std::int64_t record_ = 0;                 // number of the record
  std::int64_t entry_ = 0;                  // index of the entry within it
  std::int64_t records_ = 0;
  std::int64_t counted_ = 0;  // of them, in the metric
  std::array<std::int64_t, Filter::names.size()> filtered_{};
};

LogReader::LogReader(sdk::Host& host, const LocationSettings& location, std::int64_t session, std::string instance_id,
                     http::Endpoint endpoint, Options options)
    : host_(host),
      location_(location),
      session_(session),
      filter_(location, std::move(instance_id)),
      options_(options),
      client_(std::move(endpoint), location.ca_file, session) {
  const sdk::Host::Labels labels{{"location", location.name}};
  read_ = host.counter("ingestion_log_records_total", "Records read from raft logs.", labels);
  produced_ = host.counter("ingestion_produced_total", "Records handed to the queue.", labels);
  lost_ = host.counter("ingestion_lost_records_total", "Records that a log no longer had when they were to be read.", labels);
  too_large_ = host.counter("ingestion_too_large_total", "Entries passed over as no record of the queue can hold them.", labels);
  const std::string session_text = std::to_string(session);
  lag_ = host.gauge("ingestion_log_lag", "Records of the log that are not in the queue yet.",
                    {{"location", location.name}, {"session", session_text}});
  for (std::size_t i = 1; i < filtered_.size(); ++i)
    filtered_[i] = host.counter("ingestion_filtered_total", "Entries of logs that are not mirrored, by why.",
                                {{"location", location.name}, {"reason", Filter::names[i]}});
}

LogReader::~LogReader() { stop(); }

void LogReader::start() {
  const Lock lock(mutex_);
  stopping_ = false;
  if (!held_) client_.resume();
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void LogReader::stop() {
  Reply reply;
  {
    const Lock lock(mutex_);
    stopping_ = true;
    reply.batch = std::exchange(waiting_, std::nullopt);
    reply.next = done_;
  }
  changed_.notify_all();
  client_.interrupt();
  if (thread_.joinable()) thread_.join();
  send(std::move(reply));
}

void LogReader::hold() {
  Reply reply;
  {
    const Lock lock(mutex_);
    held_ = true;
    ++term_;
    reply.batch = std::exchange(waiting_, std::nullopt);
    reply.next = done_;
    reply.idle = location_.poll_interval;
  }
  changed_.notify_all();
  client_.interrupt();
  send(std::move(reply));
}

void LogReader::release() {
  {
    const Lock lock(mutex_);
    if (!std::exchange(held_, false)) return;
    if (!stopping_) client_.resume();
  }
  host_.wake_populator(name());
}

void LogReader::poll(std::string_view checkpoint, sdk::Batch batch) {
  const auto position = parse_checkpoint(checkpoint);
  if (!position) return batch.fail(position.status());
  Reply reply;
  Reply forgotten;
  {
    const Lock lock(mutex_);
    asked_ = true;
    forgotten.batch = std::exchange(waiting_, std::nullopt);  // of a lease that was lost meanwhile
    forgotten.next = done_;
    if (!position->is_at(done_)) reset(*position);
    if (stopping_ || held_) {
      reply.next = done_;
      reply.idle = location_.poll_interval;
      reply.batch.emplace(std::move(batch));
    } else if (!buffer_.empty()) {
      fill(reply);
      reply.batch.emplace(std::move(batch));
    } else if (!failure_.is_ok()) {
      reply.failure = std::exchange(failure_, Status::ok());
      reply.batch.emplace(std::move(batch));
    } else {
      waiting_.emplace(std::move(batch));
      wanted_ = wanted_ || !fetching_;
    }
    wanted_ = wanted_ || wants_more();
  }
  changed_.notify_all();
  send(std::move(forgotten));
  send(std::move(reply));
}

bool LogReader::wants_more() const {
  return !fetching_ && !at_end_ && !stopping_ && !held_ && failure_.is_ok() && done_.next != 0 &&
         buffer_.size() < options_.max_records / 2 && buffer_bytes_ < options_.max_bytes / 2;
}

void LogReader::reset(const Position& position) {
  ++term_;
  done_ = read_to_ = position;
  buffer_.clear();
  buffer_bytes_ = 0;
  failure_ = Status::ok();
  at_end_ = false;
}

bool LogReader::has_batch() const { return buffer_.size() >= kBatchRecords || buffer_bytes_ >= kBatchBytes; }

void LogReader::fill(Reply& reply) {
  std::size_t bytes = 0;
  while (!buffer_.empty() && reply.items.size() < kBatchRecords && bytes + buffer_.front().bytes() <= kBatchBytes) {
    bytes += buffer_.front().bytes();
    done_ = buffer_.front().next;
    reply.items.push_back(std::move(buffer_.front()));
    buffer_.pop_front();
  }
  buffer_bytes_ -= bytes;
  if (buffer_.empty()) done_ = read_to_;
  reply.next = done_;
  if (reply.items.empty()) reply.idle = location_.poll_interval;
  lag_.record(static_cast<double>(std::max<std::int64_t>(0, cseq_ + 1 - done_.next)));
}

void LogReader::send(Reply reply) {
  if (!reply.batch) return;
  if (!reply.failure.is_ok()) return reply.batch->fail(reply.failure);
  for (const auto& item : reply.items)
    if (auto status = reply.batch->emit(item.key, item.value); !status) return reply.batch->fail(status);
  produced_.record(static_cast<double>(reply.items.size()));
  reply.batch->finish(to_checkpoint(reply.next), reply.idle);
}

void LogReader::run() {
  Lock lock(mutex_);
  while (!stopping_) {
    if (!changed_.wait_for(lock, 1s, [this] { return stopping_ || (wanted_ && !held_); }) || stopping_) continue;
    wanted_ = false;
    fetching_ = true;
    fetch_began_ = std::chrono::steady_clock::now();
    const Position from = read_to_;
    const std::uint64_t term = term_;
    lock.unlock();
    const auto outcome = fetch(from, term);
    lock.lock();
    fetching_ = false;
    finish_fetch(lock, outcome, term);
  }
}

void LogReader::finish_fetch(Lock& lock, const Result<LogClient::Outcome>& outcome, std::uint64_t term) {
  if (!is_current(term)) {
    wanted_ = wanted_ || waiting_.has_value();
    return;
  }
  std::string news;
  if (outcome) {
    trouble_.clear();
    no_session_ = *outcome == LogClient::Outcome::kNoSession;
    at_end_ = at_end_ || *outcome != LogClient::Outcome::kRead;
  } else if (outcome.status().code() != Code::kCancelled) {
    failure_ = outcome.status();
    if (std::exchange(trouble_, "the log of session " + std::to_string(session_) + " cannot be read: " + failure_.message()) != trouble_)
      news = trouble_;
  }
  Reply reply;
  if (waiting_) {
    fill(reply);
    if (reply.items.empty()) reply.failure = std::exchange(failure_, Status::ok());
    reply.batch = std::exchange(waiting_, std::nullopt);
  }
  lock.unlock();
  if (!news.empty()) host_.warn(news, location_.name);
  send(std::move(reply));
  lock.lock();
}

Result<LogClient::Outcome> LogReader::fetch(const Position& from, std::uint64_t term) {
  Position begin = from;
  const bool is_first = from.next == 0;
  if (is_first && location_.from == LocationSettings::From::kNow) return find_begin(term);
  if (is_first) {
    begin.next = 1;
    set_position(begin, term);
  }
  Sink sink(*this, begin, term, is_first);
  const auto outcome = client_.read(begin.next, options_.read_limit, sink);
  if (!outcome) return outcome;
  if (*outcome == LogClient::Outcome::kBeyondEnd) return look_beyond(begin, term);
  const Lock lock(mutex_);
  if (is_current(term)) at_end_ = sink.records() < options_.read_limit || (cseq_ > 0 && sink.at().next > cseq_);
  return outcome;
}

Result<LogClient::Outcome> LogReader::find_begin(std::uint64_t term) {
  InfoSink sink;
  const auto outcome = client_.read(std::nullopt, 1, sink);
  if (!outcome) return outcome;
  Position begin;
  begin.next = *outcome == LogClient::Outcome::kRead && sink.info.cseq ? *sink.info.cseq + 1 : 1;
  set_position(begin, term);
  if (sink.info.cseq) set_cseq(*sink.info.cseq, term);
  return *outcome == LogClient::Outcome::kRead ? LogClient::Outcome::kBeyondEnd : outcome;
}

/// We are told that we are beyond the end of the log: as ever when there is nothing new, or because it is another log by now.
Result<LogClient::Outcome> LogReader::look_beyond(Position from, std::uint64_t term) {
  InfoSink sink;
  const auto outcome = client_.read(std::nullopt, 1, sink);
  if (!outcome || *outcome != LogClient::Outcome::kRead) return outcome;
  const LogInfo& info = sink.info;
  if (info.cseq) set_cseq(*info.cseq, term);
  if (info.cseq && *info.cseq + 1 < from.next)
    return Status(Code::kFailedPrecondition,
                  "it ends at " + std::to_string(*info.cseq) + ", before our position " + std::to_string(from.next) +
                      ": was the source restored? Give the location and its target buckets other names to mirror it anew");
  if (info.prune && *info.prune > from.next) {
    count_lost(from, *info.prune - from.next);
    from.next = *info.prune;
    from.entries = 0;
    set_position(from, term);
  }
  return LogClient::Outcome::kBeyondEnd;
}

Status LogReader::take(std::vector<Item>& items, const Position& read, std::uint64_t term) {
  Reply reply;
  {
    Lock lock(mutex_);
    const auto has_room = [this] { return buffer_.size() < options_.max_records && buffer_bytes_ < options_.max_bytes; };
    if (!changed_.wait_for(lock, kRoomPatience, [&] { return !is_current(term) || has_room(); }) || !is_current(term))
      return {Code::kCancelled, "nobody wants it any more"};
    for (auto& item : items) {
      buffer_bytes_ += item.bytes();
      buffer_.push_back(std::move(item));
    }
    items.clear();
    read_to_ = read;
    const bool is_late = !buffer_.empty() && std::chrono::steady_clock::now() - fetch_began_ >= options_.patience;
    if (waiting_ && (has_batch() || is_late)) {
      fill(reply);
      reply.batch = std::exchange(waiting_, std::nullopt);
    }
  }
  send(std::move(reply));
  return Status::ok();
}

void LogReader::set_position(const Position& position, std::uint64_t term) {
  const Lock lock(mutex_);
  if (is_current(term)) read_to_ = position;
}

void LogReader::set_cseq(std::int64_t cseq, std::uint64_t term) {
  const Lock lock(mutex_);
  if (is_current(term)) cseq_ = cseq;
}

void LogReader::count_lost(Position& position, std::int64_t records) {
  host_.warn("the log of session " + std::to_string(session_) + " was pruned: " + std::to_string(records) + " records from " +
                 std::to_string(position.next) + " on are gone and were not mirrored; compare the buckets",
             location_.name);
  position.lost += records;
  position.last_loss_ms = to_ms(host_.now());
  lost_.record(static_cast<double>(records));
}

void LogReader::count_too_large(Position& position, std::string_view key) {
  host_.warn("record " + std::to_string(position.next) + " of session " + std::to_string(session_) +
                 " is too large for the queue, at most 1 MiB, and was passed over; key: " + text::printable(key, kShown),
             location_.name);
  ++position.too_large;
  position.last_loss_ms = to_ms(host_.now());
  too_large_.record(1);
}

std::string LogReader::trouble() const {
  const Lock lock(mutex_);
  if (!trouble_.empty()) return trouble_;
  if (done_.last_loss_ms == 0 || to_ms(host_.now()) - done_.last_loss_ms > kLossShownMs) return {};
  std::string text = "the mirror is not whole: of session " + std::to_string(session_) + ", ";
  if (done_.lost > 0) text += std::to_string(done_.lost) + " records were pruned before they were read";
  if (done_.too_large > 0) text += (done_.lost > 0 ? ", and " : "") + std::to_string(done_.too_large) + " entries were too large";
  return text + "; shown for a day";
}

std::optional<LogReader::Details> LogReader::details() const {
  const Lock lock(mutex_);
  if (!asked_) return std::nullopt;
  return Details{session_, done_, cseq_, cseq_ == 0 || done_.next == 0 ? 0 : std::max<std::int64_t>(0, cseq_ + 1 - done_.next),
                 no_session_};
}

}  // namespace fermata::ingestion
