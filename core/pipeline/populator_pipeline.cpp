#include "pipeline/populator_pipeline.hpp"

#include "base/random.hpp"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <utility>

namespace fermata::pipeline {
namespace {

// Waits between attempts to hand a batch to a producer whose buffer is full.
constexpr std::chrono::milliseconds kRefusedFirst{20};
constexpr std::chrono::milliseconds kRefusedMax{1'000};
// A call of the state store takes at most 5 s.
constexpr std::chrono::seconds kStorePatience{6};
constexpr std::size_t kMaxCheckpoint = 64u << 10;

}  // namespace

/// The promise behind one `finish`. The first result counts; dropping all copies counts as an error.
class PopulatorPipeline::Poll {
 public:
  Poll(std::shared_ptr<PopulatorPipeline> pipeline, std::uint64_t term) : pipeline_(std::move(pipeline)), term_(term) {}
  ~Poll() { finish(Status(Code::kInternal, "the populator dropped the poll without finishing it")); }
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  void finish(Result<PolledBatch> batch) {
    if (finished_.exchange(true)) return;
    std::exchange(pipeline_, nullptr)->finish_poll(term_, std::move(batch));
  }

 private:
  std::shared_ptr<PopulatorPipeline> pipeline_;
  const std::uint64_t term_;
  std::atomic<bool> finished_{false};
};

PopulatorPipeline::PopulatorPipeline(PopulatorSpec spec, std::shared_ptr<Context> context)
    : spec_(std::move(spec)), context_(std::move(context)), path_(fmt::format("{}/populators/{}", context_->state_path, spec_.name)) {}

void PopulatorPipeline::start() {
  {
    const std::lock_guard lock(mutex_);
    if (campaign_ || closed_) return;
  }
  if (spec_.location.empty()) gate_.set(true);
  // The campaign dies before this object is closed, so it may be named in the events.
  auto campaign = context_->deps.leases.campaign(fmt::format("populator/{}/{}", context_->service, spec_.name),
                                                 {[this](std::uint64_t) { on_granted(); }, [this] { on_lost(); }});
  const std::lock_guard lock(mutex_);
  campaign_ = std::move(campaign);
}

void PopulatorPipeline::on_granted() {
  const std::lock_guard lock(mutex_);
  leased_ = true;
  ++term_;
  checkpoint_.reset();
  stop_waiting();
  advance();
}

void PopulatorPipeline::on_lost() {
  const std::lock_guard lock(mutex_);
  leased_ = false;
  ++term_;
  stop_waiting();
}

void PopulatorPipeline::set_gate(bool open) {
  if (!gate_.set(open)) return;
  const std::lock_guard lock(mutex_);
  if (open && waiting_is_idle_) stop_waiting();
  advance();
  if (!closed_) post(context_->deps.workers, nullptr);  // to report
}

void PopulatorPipeline::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  if (waiting_is_idle_) stop_waiting();
  advance();
}

void PopulatorPipeline::post(Executor& executor, Step step) {
  executor.post([self = shared_from_this(), step, term = term_] { self->run(step, term); });
}

void PopulatorPipeline::run(Step step, std::uint64_t term) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    ++calls_;
    if (step != nullptr && term != term_) step = &PopulatorPipeline::end_stale;
  }
  if (step != nullptr) (this->*step)(term);
  report();
  const std::lock_guard lock(mutex_);
  --calls_;
  idle_.notify_all();
}

void PopulatorPipeline::report() {
  std::string error;
  {
    const std::lock_guard lock(mutex_);
    const bool news = std::exchange(last_error_.is_news, false);
    if (std::exchange(reported_quiet_, is_quiet()) == is_quiet() && !news) return;
    if (news) error = last_error_.text;
  }
  // Once per text: the same error comes again with each back-off.
  if (!error.empty())
    context_->deps.log.warn("pipeline", "populator failed",
                            {{"service", context_->service}, {"location", spec_.location}, {"populator", spec_.name}, {"error", error}});
  context_->changed(spec_.location);
}

void PopulatorPipeline::advance() {
  if (busy_ || waiting_ || !leased_ || closed_ || !gate_.is_open()) return;
  busy_ = true;
  if (checkpoint_)
    post(context_->deps.workers, &PopulatorPipeline::poll);
  else
    post(context_->deps.control, &PopulatorPipeline::read_checkpoint);
}

void PopulatorPipeline::read_checkpoint(std::uint64_t term) {
  const Health health = context_->deps.store.health();
  // One that is lost is not asked: waiting for its answer would keep all others waiting.
  auto stored = health.ok ? context_->deps.store.get(path_) : Status(Code::kUnavailable, health.reason);
  const std::lock_guard lock(mutex_);
  if (!stored) return fail_cycle(stored.status());
  if (term != term_) return end_cycle();
  checkpoint_ = stored->has_value() ? (*stored)->data : std::string();
  version_ = stored->has_value() ? std::optional((*stored)->version) : std::nullopt;
  post(context_->deps.workers, &PopulatorPipeline::poll);
}

void PopulatorPipeline::poll(std::uint64_t term) {
  std::string checkpoint;
  {
    const std::lock_guard lock(mutex_);
    if (term != term_ || !gate_.try_enter()) return end_cycle();
    woken_ = false;
    checkpoint = *checkpoint_;
  }
  const auto promise = std::make_shared<Poll>(shared_from_this(), term);
  try {
    spec_.poll(std::move(checkpoint), [promise](Result<PolledBatch> batch) { promise->finish(std::move(batch)); });
  } catch (const std::exception& error) {
    promise->finish(Status(Code::kInternal, fmt::format("the populator threw: {}", error.what())));
  } catch (...) {
    promise->finish(Status(Code::kInternal, "the populator threw something that is no std::exception"));
  }
  gate_.leave();
}

void PopulatorPipeline::finish_poll(std::uint64_t term, Result<PolledBatch> batch) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (term != term_) return post(context_->deps.workers, &PopulatorPipeline::end_stale);
  if (batch && batch->next_checkpoint.size() > kMaxCheckpoint)
    batch = Status(Code::kInvalidArgument, fmt::format("the checkpoint of populator '{}' has {} bytes; at most {} are allowed", spec_.name,
                                                       batch->next_checkpoint.size(), kMaxCheckpoint));
  if (!batch) {
    fail_cycle(batch.status());
    return post(context_->deps.workers, nullptr);  // to report
  }
  batch_ = std::move(*batch);
  refusals_ = 0;
  if (batch_.records.empty())
    post(context_->deps.control, &PopulatorPipeline::save_checkpoint);
  else
    post(context_->deps.workers, &PopulatorPipeline::produce);
}

void PopulatorPipeline::produce(std::uint64_t term) {
  std::vector<NewRecord> records;
  {
    const std::lock_guard lock(mutex_);
    if (term != term_) return end_cycle();
    records = batch_.records;  // a copy, as a producer that refuses keeps what it was given
  }
  const Status taken = context_->deps.queue.produce(
      std::move(records), [self = shared_from_this(), term](const Status& status) { self->finish_produce(term, status); });
  if (taken.is_ok()) return;
  const std::lock_guard lock(mutex_);
  if (taken.code() != Code::kResourceExhausted) return fail_cycle(taken);
  const auto pause = backoff(++refusals_, kRefusedFirst, kRefusedMax);
  context_->deps.workers.post_after(pause, [weak = weak_from_this(), term] {
    if (const auto self = weak.lock()) self->run(&PopulatorPipeline::produce, term);
  });
}

void PopulatorPipeline::finish_produce(std::uint64_t term, const Status& status) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (term != term_) return post(context_->deps.workers, &PopulatorPipeline::end_stale);
  if (!status) {
    fail_cycle(status);
    return post(context_->deps.workers, nullptr);  // to report
  }
  post(context_->deps.control, &PopulatorPipeline::save_checkpoint);
}

void PopulatorPipeline::save_checkpoint(std::uint64_t term) {
  StateWrite write;
  bool moved = false;
  {
    const std::lock_guard lock(mutex_);
    if (term != term_) return end_cycle();
    moved = *checkpoint_ != batch_.next_checkpoint;
    write.kind = version_ ? StateWrite::Kind::kPut : StateWrite::Kind::kCreate;
    write.path = path_;
    write.data = batch_.next_checkpoint;
    write.expected = version_.value_or(StateWrite::kAnyVersion);
  }
  if (moved) {
    const auto version = write_one(context_->deps.store, std::move(write));
    const std::lock_guard lock(mutex_);
    if (!version) return fail_cycle(version.status());
    if (term != term_) return end_cycle();
    version_ = *version;
  }
  const std::lock_guard lock(mutex_);
  checkpoint_ = std::move(batch_.next_checkpoint);
  totals_.records += static_cast<std::int64_t>(batch_.records.size());
  ++totals_.batches;
  failures_ = 0;
  const auto idle = batch_.idle;
  if (idle.count() > 0 && !woken_)
    end_cycle_after(idle, true);
  else
    end_cycle();
}

void PopulatorPipeline::end_cycle() {
  busy_ = false;
  batch_ = {};
  idle_.notify_all();
  advance();
}

void PopulatorPipeline::end_cycle_after(std::chrono::milliseconds pause, bool is_idle) {
  waiting_ = true;
  waiting_is_idle_ = is_idle;
  end_cycle();
  timer_ = context_->deps.workers.post_after(pause, [weak = weak_from_this(), id = ++wait_id_] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    if (!self->waiting_ || self->wait_id_ != id) return;
    self->waiting_ = self->waiting_is_idle_ = false;
    self->advance();
  });
}

void PopulatorPipeline::fail_cycle(const Status& status) {
  last_error_.set(fmt::format("populator '{}': {}", spec_.name, status.text()), context_->deps.clock.now());
  ++totals_.errors;
  // Also a write that failed may have happened, and one that met another version tells of another writer: look again.
  checkpoint_.reset();
  const auto& options = context_->options;
  end_cycle_after(backoff(++failures_, options.retry_first, options.retry_max), false);
}

void PopulatorPipeline::end_stale(std::uint64_t) {
  const std::lock_guard lock(mutex_);
  end_cycle();
}

void PopulatorPipeline::stop_waiting() {
  if (!waiting_) return;
  waiting_ = waiting_is_idle_ = false;
  context_->deps.workers.cancel(timer_);
}

bool PopulatorPipeline::wait_idle(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, deadline, [this] { return !busy_; });
}

void PopulatorPipeline::close() {
  std::unique_ptr<Leases::Campaign> campaign;
  {
    std::unique_lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    stop_waiting();
    idle_.wait_for(lock, kStorePatience, [this] { return calls_ == 0; });
    campaign = std::move(campaign_);
  }
  // Outside the lock: the destructor waits for events that run, and those take it.
  campaign.reset();
}

void PopulatorPipeline::add_to(LocationCounts& counts) const {
  const std::lock_guard lock(mutex_);
  counts.gate_open = counts.gate_open || gate_.is_open();
  counts.quiet = counts.quiet && is_quiet();
  counts.in_flight += busy_ ? 1 : 0;
  counts.processed += totals_.records;
  last_error_.show_in(counts);
}

void PopulatorPipeline::show_error_in(LocationCounts& counts) const {
  const std::lock_guard lock(mutex_);
  last_error_.show_in(counts);
}

PopulatorTotals PopulatorPipeline::totals() const {
  const std::lock_guard lock(mutex_);
  PopulatorTotals totals = totals_;
  totals.active = leased_;
  return totals;
}

}  // namespace fermata::pipeline
