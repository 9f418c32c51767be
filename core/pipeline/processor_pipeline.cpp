#include "pipeline/processor_pipeline.hpp"

#include "base/random.hpp"
#include "base/time_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace fermata::pipeline {
namespace {

// A busy processor gives its thread to others after so many steps.
constexpr int kRunLength = 256;
// Producers write these to see whether a topic works; they mean nothing.
constexpr std::string_view kCanaryKey = "canary";
// How long close waits for calls that should return at once.
constexpr std::chrono::seconds kCallPatience{1};
// Of stuck records that are found together, so many are named in the log, with so much of their keys.
constexpr std::size_t kMaxNamed = 20;
constexpr std::size_t kMaxNamedKey = 128;
// By how much the clocks of nodes may differ before a record that was delivered elsewhere is taken for a new one.
constexpr std::int64_t kClockMarginMs = 5'000;

std::int64_t to_ms(WallTime time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count(); }

}  // namespace

/// The promise behind one Complete. The first completion counts; dropping all copies counts as one.
class ProcessorPipeline::Delivery {
 public:
  Delivery(std::shared_ptr<ProcessorPipeline> pipeline, Entry& entry) : pipeline_(std::move(pipeline)), entry_(entry) {}
  ~Delivery() { complete(Outcome::kRetry, "the processor dropped the record without completing it"); }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void complete(Outcome outcome, std::string_view text) {
    if (completed_.exchange(true)) return;
    std::exchange(pipeline_, nullptr)->complete(entry_, outcome, text);
  }

 private:
  std::shared_ptr<ProcessorPipeline> pipeline_;
  Entry& entry_;  // not valid after the completion
  std::atomic<bool> completed_{false};
};

ProcessorPipeline::ProcessorPipeline(ProcessorSpec spec, std::shared_ptr<Context> context)
    : spec_(std::move(spec)),
      context_(std::move(context)),
      max_in_flight_(spec_.max_in_flight > 0 ? spec_.max_in_flight : context_->options.max_in_flight) {}

Status ProcessorPipeline::start() {
  {
    const std::lock_guard lock(mutex_);
    if (started_) return Status::ok();
    if (closed_) return {Code::kFailedPrecondition, fmt::format("processor '{}' is closed", spec_.name)};
  }
  // The consumer dies before this object is closed, so it may be named in the events.
  auto consumer =
      context_->deps.queue.consume(spec_.topic, spec_.group,
                                   {[this] { on_ready(); }, [this](std::span<const std::int32_t> partitions) { on_assigned(partitions); },
                                    [this](std::span<const std::int32_t> partitions) { on_revoked(partitions); }});
  if (!consumer) return consumer.status();
  {
    const std::lock_guard lock(consumer_mutex_);
    consumer_ = std::move(*consumer);
  }
  const std::lock_guard lock(mutex_);
  started_ = true;
  may_poll_ = true;
  if (spec_.location.empty()) gate_.set(true);
  schedule();
  return Status::ok();
}

void ProcessorPipeline::set_gate(bool open) {
  if (!gate_.set(open)) return;
  const std::lock_guard lock(mutex_);
  schedule();
}

void ProcessorPipeline::schedule() {
  if (pumping_ || closed_ || !started_) return;
  pumping_ = true;
  context_->deps.workers.post([self = shared_from_this()] { self->pump(); });
}

void ProcessorPipeline::pump() {
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  for (int i = 0; i < kRunLength && step(); ++i) {
  }
  report();
  end_run();
}

bool ProcessorPipeline::step() {
  std::unique_lock lock(mutex_);
  if (closed_) return false;
  if (retry_due_) release_due();
  if (gate_.is_open() != consumer_open_) {
    lock.unlock();
    apply_gate();
    return true;
  }
  if (wants_poll()) {
    lock.unlock();
    poll();
    return true;
  }
  if (!has_room() || !gate_.try_enter()) return false;
  Entry& entry = lanes_.next();
  if (entry.deliveries > 1) --retrying_;
  entry.since = context_->deps.clock.steady();
  ++in_flight_;
  in_flight_bytes_ += entry.record.bytes();
  entry.redelivered = may_be_redelivered(entry);
  lock.unlock();
  deliver(entry);
  gate_.leave();
  return true;
}

void ProcessorPipeline::end_run() {
  const std::lock_guard lock(mutex_);
  running_ = false;
  pumping_ = false;
  if (has_work()) schedule();
  idle_.notify_all();
}

bool ProcessorPipeline::has_work() const {
  const bool open = gate_.is_open();
  const bool commit_due = dirty_ && (is_quiet() || !ticking_);
  const bool report_due = last_error_.is_news || stuck_is_news_ || is_quiet() != reported_quiet_;
  return retry_due_ || open != consumer_open_ || wants_poll() || (open && has_room()) || commit_due || report_due;
}

bool ProcessorPipeline::wants_poll() const {
  const auto& options = context_->options;
  if (!may_poll_ || !gate_.is_open()) return false;
  if (lanes_.waiting() > options.prefetch_records / 2 || lanes_.waiting_bytes() > options.prefetch_bytes / 2) return false;
  return std::none_of(ledgers_.begin(), ledgers_.end(), [](const auto& ledger) { return ledger.second.full(); });
}

bool ProcessorPipeline::has_room() const {
  if (!lanes_.has_ready() || in_flight_ >= max_in_flight_) return false;
  return in_flight_ == 0 || in_flight_bytes_ + lanes_.peek().record.bytes() <= context_->options.max_in_flight_bytes;
}

void ProcessorPipeline::apply_gate() {
  const std::lock_guard consumer_lock(consumer_mutex_);
  const bool open = gate_.is_open();
  {
    const std::lock_guard lock(mutex_);
    consumer_open_ = open;
  }
  if (consumer_) consumer_->set_gate(open);
}

void ProcessorPipeline::poll() {
  const auto& options = context_->options;
  const std::lock_guard consumer_lock(consumer_mutex_);
  if (!consumer_) return;
  std::size_t records = 0;
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    may_poll_ = false;  // a bell from now on says true again
    records = std::max<std::size_t>(options.prefetch_records - std::min(options.prefetch_records, lanes_.waiting()), 1);
    bytes = std::max<std::size_t>(options.prefetch_bytes - std::min(options.prefetch_bytes, lanes_.waiting_bytes()), 1);
  }
  auto polled = consumer_->poll(records, bytes);
  const std::lock_guard lock(mutex_);
  if (!polled) {
    last_error_.set(polled.status().text(), context_->deps.clock.now());
    return;
  }
  if (polled->empty()) return;
  may_poll_ = true;
  take(std::move(*polled));
}

void ProcessorPipeline::take(std::vector<QueueRecord> records) {
  for (auto& record : records) {
    OffsetLedger& ledger = ledgers_[record.partition];
    if (!ledger.add(record.offset)) continue;
    if (record.key == kCanaryKey) {
      ledger.done(record.offset);
      dirty_ = true;
      ++totals_.skipped;
      continue;
    }
    lanes_.add(std::move(record));
  }
}

// A partition's former owner may have been handed whatever was there when it became ours, and not have committed it.
bool ProcessorPipeline::may_be_redelivered(const Entry& entry) const {
  if (entry.deliveries > 1) return true;
  const auto assigned = assigned_ms_.find(entry.record.partition);
  return assigned == assigned_ms_.end() || entry.record.timestamp_ms < assigned->second + kClockMarginMs;
}

void ProcessorPipeline::deliver(Entry& entry) {
  const auto delivery = std::make_shared<Delivery>(shared_from_this(), entry);
  try {
    spec_.process({spec_.topic, &entry.record, entry.attempts(), entry.attempts() >= context_->options.max_attempts, entry.redelivered},
                  [delivery](Outcome outcome, std::string_view text) { delivery->complete(outcome, text); });
  } catch (const std::exception& error) {
    delivery->complete(Outcome::kRetry, fmt::format("the processor threw: {}", error.what()));
  } catch (...) {
    delivery->complete(Outcome::kRetry, "the processor threw something that is no std::exception");
  }
}

void ProcessorPipeline::release_due() {
  retry_due_ = false;
  for (Entry* entry : retries_.take_due(context_->deps.clock.steady())) lanes_.release(*entry);
  arm_retry_timer();
}

void ProcessorPipeline::hurry() {
  const std::lock_guard lock(mutex_);
  for (Entry* entry : retries_.take_all()) lanes_.release(*entry);
  schedule();
}

void ProcessorPipeline::arm_retry_timer() {
  const auto next = retries_.next();
  if (!next || (timer_due_ && *timer_due_ <= *next)) return;
  Executor& workers = context_->deps.workers;
  if (timer_due_) workers.cancel(timer_);
  timer_due_ = next;
  timer_ = workers.post_after(*next - context_->deps.clock.steady(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    self->timer_due_.reset();
    self->retry_due_ = true;
    self->schedule();
  });
}

void ProcessorPipeline::report() {
  bool changed = false;
  bool commit_now = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    changed = is_quiet() != reported_quiet_;
    changed = std::exchange(last_error_.is_news, false) || changed;
    changed = std::exchange(stuck_is_news_, false) || changed;
    reported_quiet_ = is_quiet();
    commit_now = dirty_ && is_quiet();
    if (dirty_ && !commit_now && !std::exchange(ticking_, true)) context_->ticker.add(weak_from_this());
  }
  if (commit_now) commit();
  if (changed) context_->changed(spec_.location);
}

void ProcessorPipeline::commit() {
  const std::lock_guard consumer_lock(consumer_mutex_);
  if (!consumer_) return;
  std::vector<PartitionOffset> offsets;
  {
    const std::lock_guard lock(mutex_);
    ticking_ = false;
    dirty_ = false;
    for (auto& [partition, ledger] : ledgers_)
      if (const auto offset = ledger.take_commit()) offsets.push_back({partition, *offset});
  }
  if (!offsets.empty()) consumer_->commit(offsets);
}

void ProcessorPipeline::complete(Entry& entry, Outcome outcome, std::string_view text) {
  std::string reason;  // when `text` alone does not say it
  const bool used_up = outcome == Outcome::kRetry && entry.attempts() >= context_->options.max_attempts;
  if (used_up) text = reason = fmt::format("gave up after {} attempts: {}", entry.attempts(), text);
  if (used_up || outcome == Outcome::kFailed) {
    outcome = Outcome::kFailed;
    if (const Status stored = give_up(entry, text); !stored) {
      outcome = Outcome::kRetry;
      text = reason = fmt::format("{}; kept, as the failed store refused it: {}", text, stored.text());
    }
  }
  settle(entry, outcome, text);
}

Status ProcessorPipeline::give_up(const Entry& entry, std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || entry.revoked) return Status::ok();  // whoever gets the record next decides
    ++storing_;
  }
  const QueueRecord& record = entry.record;
  FailedRecord failed{FailedStore::make_id(spec_.topic, record.partition, record.offset),
                      spec_.topic,
                      spec_.name,
                      record.key,
                      record.value,
                      std::string(reason.substr(0, LastError::kMaxText)),
                      entry.attempts(),
                      context_->deps.clock.now()};
  const Status stored = context_->failed.put(spec_.location, failed);
  context_->deps.log.warn("pipeline", stored.is_ok() ? "record given up" : "record cannot be given up",
                          {{"service", context_->service},
                           {"location", spec_.location},
                           {"processor", spec_.name},
                           {"id", failed.id},
                           {"reason", failed.reason},
                           {"stored", stored.text()}});
  const std::lock_guard lock(mutex_);
  --storing_;
  idle_.notify_all();
  return stored;
}

void ProcessorPipeline::settle(Entry& entry, Outcome outcome, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  --in_flight_;
  in_flight_bytes_ -= entry.record.bytes();
  const bool left = entry.leaving;  // finish destroys the entry
  if (std::exchange(entry.stuck, false)) name_stuck();
  if (outcome != Outcome::kDone) last_error_.set(text, context_->deps.clock.now());
  if (outcome == Outcome::kRetry || outcome == Outcome::kPostpone) {
    ++(outcome == Outcome::kRetry ? totals_.retried : totals_.postponed);
    if (outcome == Outcome::kPostpone) ++entry.postponed;
    if (!entry.revoked) {
      const auto& options = context_->options;
      lanes_.hold(entry);
      ++retrying_;
      retries_.add(context_->deps.clock.steady() + backoff(entry.deliveries, options.retry_first, options.retry_max), entry);
      arm_retry_timer();
    } else {
      lanes_.finish(entry);
    }
  } else {
    ++(outcome == Outcome::kDone ? totals_.done : totals_.failed);
    // One that is given up while its partition goes was not stored: whoever gets it next decides.
    if (!entry.revoked || (entry.leaving && outcome == Outcome::kDone)) {
      OffsetLedger& ledger = ledgers_.at(entry.record.partition);
      ledger.done(entry.record.offset);
      dirty_ = dirty_ || ledger.has_commit();
    }
    lanes_.finish(entry);
  }
  if (left) --leaving_;
  schedule();
  if (in_flight_ == 0 || (left && leaving_ == 0)) idle_.notify_all();
}

void ProcessorPipeline::look_for_stuck() {
  std::vector<QueueRecord> found;  // with a part of the key, and no value
  std::size_t more = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || in_flight_ == 0) return;
    const SteadyTime bound = context_->deps.clock.steady() - context_->options.stuck_after;
    lanes_.visit_in_flight([&](Entry& entry) {
      if (entry.stuck || entry.since > bound) return;
      entry.stuck = true;
      const QueueRecord& record = entry.record;
      if (found.size() == kMaxNamed)
        ++more;
      else
        found.push_back({record.partition, record.offset, record.timestamp_ms, record.key.substr(0, kMaxNamedKey), {}});
    });
    if (found.empty()) return;
    name_stuck();
    schedule();  // to report
  }
  for (const auto& record : found)
    context_->deps.log.warn("pipeline", "record stuck: it was handed to the plugin and is not completed",
                            {{"service", context_->service},
                             {"location", spec_.location},
                             {"processor", spec_.name},
                             {"topic", spec_.topic},
                             {"partition", std::to_string(record.partition)},
                             {"offset", std::to_string(record.offset)},
                             {"key", record.key}});
  if (more > 0)
    context_->deps.log.warn("pipeline", "more records are stuck",
                            {{"service", context_->service}, {"processor", spec_.name}, {"count", std::to_string(more)}});
}

void ProcessorPipeline::name_stuck() {
  const Entry* longest = nullptr;
  stuck_count_ = 0;
  lanes_.visit_in_flight([&](const Entry& entry) {
    if (!entry.stuck) return;
    ++stuck_count_;
    if (longest == nullptr || entry.since < longest->since) longest = &entry;
  });
  stuck_is_news_ = true;
  stuck_.clear();
  if (longest == nullptr) return;
  const Clock& clock = context_->deps.clock;
  const auto began = clock.now() - std::chrono::duration_cast<WallTime::duration>(clock.steady() - longest->since);
  const QueueRecord& record = longest->record;
  stuck_ = fmt::format("record {}/{}/{} with key '{}' has been with processor '{}' since {}", spec_.topic, record.partition, record.offset,
                       record.key.substr(0, kMaxNamedKey), spec_.name, format_iso(began));
  if (stuck_count_ > 1) stuck_ += fmt::format(", and {} more for too long", stuck_count_ - 1);
}

void ProcessorPipeline::on_ready() {
  const std::lock_guard lock(mutex_);
  may_poll_ = true;
  schedule();
}

void ProcessorPipeline::on_assigned(std::span<const std::int32_t> partitions) {
  const std::lock_guard lock(mutex_);
  for (const auto partition : partitions) assigned_ms_[partition] = to_ms(context_->deps.clock.now());
}

// Who gets the partitions begins with what was not committed. What is in flight is waited for, so that it neither ends after
// what comes after it elsewhere, nor is done twice.
void ProcessorPipeline::on_revoked(std::span<const std::int32_t> partitions) {
  start_leaving(partitions);
  await_leaving();
  finish_leaving(partitions);
}

void ProcessorPipeline::start_leaving(std::span<const std::int32_t> partitions) {
  const std::lock_guard consumer_lock(consumer_mutex_);  // a poll that runs ends first, its records included
  const std::lock_guard lock(mutex_);
  for (const auto partition : partitions)
    lanes_.revoke(partition, [this](const Entry& entry) {
      if (entry.deliveries == 0) return;
      --retrying_;
      retries_.remove(entry);
    });
  leaving_ = 0;
  lanes_.visit_in_flight([this](const Entry& entry) { leaving_ += entry.leaving ? 1 : 0; });
  schedule();
}

void ProcessorPipeline::await_leaving() {
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, context_->options.revoke_patience, [this] { return leaving_ == 0 || closed_; });
}

void ProcessorPipeline::finish_leaving(std::span<const std::int32_t> partitions) {
  const std::lock_guard consumer_lock(consumer_mutex_);
  std::vector<PartitionOffset> offsets;
  {
    const std::lock_guard lock(mutex_);
    lanes_.visit_in_flight([](Entry& entry) { entry.leaving = false; });
    leaving_ = 0;
    for (const auto partition : partitions) {
      const auto ledger = ledgers_.find(partition);
      if (ledger == ledgers_.end()) continue;
      if (const auto offset = ledger->second.take_commit()) offsets.push_back({partition, *offset});
      ledgers_.erase(ledger);
      assigned_ms_.erase(partition);
    }
  }
  if (consumer_ && !offsets.empty()) consumer_->commit(offsets);
}

std::int64_t ProcessorPipeline::wait_idle(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  idle_.wait_until(lock, deadline, [this] { return in_flight_ == 0 && !running_ && storing_ == 0; });
  return in_flight_;
}

void ProcessorPipeline::close() {
  {
    std::unique_lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    if (timer_due_) context_->deps.workers.cancel(timer_);
    idle_.notify_all();
    idle_.wait_for(lock, kCallPatience, [this] { return !running_ && storing_ == 0; });
  }
  commit();
  std::unique_ptr<Consumer> consumer;
  {
    const std::lock_guard lock(consumer_mutex_);
    consumer = std::move(consumer_);
  }
  // Outside the lock: the destructor waits for events that run, and those take it.
  consumer.reset();
}

std::int64_t ProcessorPipeline::lag() const {
  // A poll that runs is not waited for: the last known value will do.
  const std::unique_lock lock(consumer_mutex_, std::try_to_lock);
  if (lock && consumer_) last_lag_ = consumer_->lag();
  return last_lag_;
}

void ProcessorPipeline::add_to(LocationCounts& counts) const {
  counts.lag += lag();
  const std::lock_guard lock(mutex_);
  counts.gate_open = counts.gate_open || gate_.is_open();
  counts.quiet = counts.quiet && is_quiet();
  counts.in_flight += in_flight_;
  counts.retrying += retrying_;
  counts.processed += totals_.done;
  if (counts.stuck.empty()) counts.stuck = stuck_;
  last_error_.show_in(counts);
}

void ProcessorPipeline::show_error_in(LocationCounts& counts) const {
  const std::lock_guard lock(mutex_);
  last_error_.show_in(counts);
}

ProcessorTotals ProcessorPipeline::totals() const {
  const std::int64_t lag_now = lag();
  const std::lock_guard lock(mutex_);
  ProcessorTotals totals = totals_;
  totals.in_flight = in_flight_;
  totals.in_flight_bytes = static_cast<std::int64_t>(in_flight_bytes_);
  totals.prefetched = static_cast<std::int64_t>(lanes_.waiting());
  totals.prefetched_bytes = static_cast<std::int64_t>(lanes_.waiting_bytes());
  totals.retrying = retrying_;
  totals.stuck = stuck_count_;
  totals.lag = lag_now;
  return totals;
}

}  // namespace fermata::pipeline
