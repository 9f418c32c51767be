#include "store_writer.hpp"

#include <iterator>
#include <utility>

namespace fermata::ingestion {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kLookInterval = 5s;
constexpr auto kForgetInterval = 60s;
constexpr std::int64_t kForgetAtOnce = 10'000;
// Longer than the queue keeps records by default, so that what could undo a removal is gone before its trace is.
constexpr std::int64_t kRemovedForMs = 30LL * 24 * 3'600 * 1'000;

std::int64_t to_ms(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

const sdk::Metric& metric_of(const StoreMetrics& metrics, MetadataStore::Applied applied) {
  switch (applied) {
    case MetadataStore::Applied::kSame: return metrics.same;
    case MetadataStore::Applied::kStale: return metrics.stale;
    case MetadataStore::Applied::kWritten: break;
  }
  return metrics.written;
}

}  // namespace

void StoreWriter::start(MetadataStore store, std::function<std::string()> owns) {
  store_.emplace(std::move(store));
  owns_ = std::move(owns);
  const std::lock_guard lock(mutex_);
  running_ = true;
  trouble_.clear();
  thread_ = std::thread([this] { run(); });
}

void StoreWriter::stop() {
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  store_.reset();
}

void StoreWriter::push(StoredChange change, sdk::Delivery delivery, const StoreMetrics& metrics) {
  {
    const std::lock_guard lock(mutex_);
    if (running_) {
      pending_.push_back({std::move(change), std::move(delivery), &metrics});
      if (pending_.size() != 1 && pending_.size() != kMaxBatch) return;
      changed_.notify_one();
      return;
    }
  }
  delivery.postpone("the service is stopping");
}

std::string StoreWriter::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void StoreWriter::run() {
  for (;;) {
    auto batch = next_batch();
    if (batch.empty()) {
      const std::lock_guard lock(mutex_);
      if (!running_ && pending_.empty()) return;
    }
    const Status status = write(batch);
    finish(std::move(batch), status);
  }
}

/// Waits for changes, at most until there is something to look after.
std::vector<StoreWriter::Pending> StoreWriter::next_batch() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kLookInterval, [this] { return !running_ || !pending_.empty(); });
  if (!pending_.empty()) changed_.wait_for(lock, kLinger, [this] { return !running_ || pending_.size() >= kMaxBatch; });
  if (pending_.size() <= kMaxBatch) return std::exchange(pending_, {});
  const auto end = pending_.begin() + kMaxBatch;
  std::vector<Pending> batch(std::make_move_iterator(pending_.begin()), std::make_move_iterator(end));
  pending_.erase(pending_.begin(), end);
  return batch;
}

Status StoreWriter::look_after_store() {
  const auto now = Clock::now();
  if (now - looked_at_ >= kLookInterval) {
    if (const auto why = owns_(); !why.empty()) return {Code::kFailedPrecondition, why};
    looked_at_ = now;
  }
  if (now - forgot_at_ < kForgetInterval) return Status::ok();
  const auto forgotten = store_->forget(to_ms(host_.now()) - kRemovedForMs, kForgetAtOnce);
  if (!forgotten) return forgotten.status();
  if (*forgotten < kForgetAtOnce) forgot_at_ = now;
  return Status::ok();
}

Status StoreWriter::write(std::vector<Pending>& batch) {
  if (auto status = look_after_store(); !status || batch.empty()) return status;
  if (auto status = store_->begin(); !status) return status;
  const std::int64_t now_ms = to_ms(host_.now());
  for (auto& pending : batch) {
    const auto applied = store_->apply(pending.change, now_ms);
    if (!applied) {
      store_->rollback();
      return applied.status();
    }
    pending.applied = *applied;
  }
  auto status = store_->commit();
  if (!status) store_->rollback();
  return status;
}

void StoreWriter::finish(std::vector<Pending> batch, const Status& status) {
  bool is_news = false;
  {
    const std::lock_guard lock(mutex_);
    is_news = !status.is_ok() && std::exchange(trouble_, status.message()) != status.message();
    if (status.is_ok()) trouble_.clear();
  }
  if (is_news) host_.error(status.message());
  for (auto& pending : batch) {
    if (!status) {
      pending.delivery.postpone(status.message());
      continue;
    }
    metric_of(*pending.metrics, pending.applied).record(1);
    pending.delivery.done();
  }
}

}  // namespace fermata::ingestion
