#include "replicator.hpp"

#include <chrono>

namespace fermata::crr {
namespace {

sdk::Metric results(const sdk::Host& host, const std::string& location, std::string_view result) {
  return host.counter("crr_objects_total", "Records that were worked on, by what came of them",
                      {{"location", location}, {"result", result}});
}

}  // namespace

Replicator::Replicator(const sdk::Host& host, std::string location, std::shared_ptr<ObjectSource> source,
                       std::unique_ptr<ObjectStore> store)
    : host_(host),
      location_(std::move(location)),
      source_(std::move(source)),
      store_(std::move(store)),
      states_(host),
      bytes_(host.counter("crr_replicated_bytes_total", "Bytes written to targets", {{"location", location_}})),
      copied_(results(host, location_, "copied")),
      removed_(results(host, location_, "removed")),
      unchanged_(results(host, location_, "unchanged")),
      retried_(results(host, location_, "retried")),
      failed_(results(host, location_, "failed")),
      latency_(host.histogram("crr_replication_seconds", "From journaled to completed", {{"location", location_}})) {}

Status Replicator::replicate(const ReplicationRecord& record, const Attempt& attempt) {
  auto before = states_.get(record.id, location_);
  if (!before) return before.status();
  ObjectState state = before->value_or(ObjectState{});
  state.version = record.version;
  state.attempts = attempt.number;
  state.updated_ms = now_ms();
  const auto done = apply(record, state);
  if (done) set_trouble({});
  if (auto kept = keep(record, done, attempt.last, state); !kept) return kept;
  count(done, state, attempt.produced_ms);
  return done.status();
}

Result<Replicator::Done> Replicator::apply(const ReplicationRecord& record, ObjectState& state) {
  auto source = source_->open(record.id);
  if (!source && source.status().code() != Code::kNotFound) return source.status();
  const bool is_put = record.type == ReplicationRecord::Type::kPut;
  // Gone again: the record of its deletion follows. There again: the record of its return follows.
  if (static_cast<bool>(source) != is_put) return Done::kSuperseded;
  return is_put ? put(record, **source, state) : remove(record);
}

Result<Replicator::Done> Replicator::put(const ReplicationRecord& record, ObjectReader& source, ObjectState& state) {
  if (!state.etag.empty() && state.fingerprint == source.meta().fingerprint) {
    const auto same = store_->has(record.id, source.meta());
    if (!same) return judge(same.status());
    if (*same) return Done::kUpToDate;
  }
  auto stored = store_->put(record.id, source);
  if (!stored) return judge(stored.status());
  state.bytes = stored->bytes;
  state.etag = std::move(stored->etag);
  state.fingerprint = source.meta().fingerprint;
  return Done::kCopied;
}

Result<Replicator::Done> Replicator::remove(const ReplicationRecord& record) {
  const auto still_gone = [this, &record] {
    const auto source = source_->open(record.id);
    if (!source) return source.status().code() == Code::kNotFound ? Status::ok() : source.status();
    return Status(Code::kAborted, "source " + record.id.path() + " came back while it was removed");
  };
  if (auto status = store_->remove(record.id, still_gone); !status) return judge(status);
  return Done::kRemoved;
}

Status Replicator::judge(const Status& failure) {
  const auto place = store_->check();
  if (!place) return {Code::kUnavailable, place.message()};  // e.g. a root that nobody may write to
  if (failure.code() == Code::kUnavailable) set_trouble(failure.message());
  return failure;
}

void Replicator::set_trouble(std::string reason) {
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(reason);
}

Status Replicator::keep(const ReplicationRecord& record, const Result<Done>& done, bool last_attempt, ObjectState state) {
  if (done && *done == Done::kRemoved) return states_.remove(record.id, location_);
  if (done && *done == Done::kSuperseded) return Status::ok();
  if (done) {
    state.status = ObjectState::Status::kCompleted;
    state.completed_ms = now_ms();
    state.reason.clear();
  } else {
    const bool waits = done.status().code() == Code::kUnavailable || (done.status().retryable() && !last_attempt);
    state.status = waits ? ObjectState::Status::kPending : ObjectState::Status::kFailed;
    state.reason = done.status().message();
  }
  return states_.put(record.id, location_, state);
}

void Replicator::count(const Result<Done>& done, const ObjectState& state, std::int64_t produced_ms) const {
  if (!done) return (done.status().retryable() ? retried_ : failed_).record(1);
  switch (*done) {
    case Done::kCopied:
      copied_.record(1);
      bytes_.record(static_cast<double>(state.bytes));
      break;
    case Done::kRemoved: removed_.record(1); break;
    case Done::kUpToDate:
    case Done::kSuperseded: return unchanged_.record(1);
  }
  latency_.record(static_cast<double>(now_ms() - produced_ms) / 1e3);
}

void Replicator::probe() {
  const auto status = store_->check();
  if (status && !cleaned_) {
    const auto cleaned = store_->clean();
    if (!cleaned) host_.warn("interrupted copies could not be removed: " + cleaned.message(), location_);
    cleaned_ = cleaned.is_ok();
  }
  {
    const std::lock_guard lock(mutex_);
    if (degraded_ == status.message()) return;
    degraded_ = status.message();
  }
  status ? host_.info("the target is there again", location_) : host_.warn(status.message(), location_);
}

std::string Replicator::degraded() const {
  const std::lock_guard lock(mutex_);
  return degraded_.empty() ? trouble_ : degraded_;
}

std::int64_t Replicator::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(host_.now().time_since_epoch()).count();
}

}  // namespace fermata::crr
