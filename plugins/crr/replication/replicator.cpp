#include "replication/replicator.hpp"

#include "text/text.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace fermata::crr {
namespace {

// How often a target that is there is looked at, and one that is not: the time doubles from the first to the last.
constexpr std::chrono::seconds kProbeInterval{5};
constexpr std::chrono::seconds kFirstProbe{1};
constexpr std::chrono::seconds kLastProbe{30};

sdk::Metric results(const sdk::Host& host, const std::string& location, std::string_view result) {
  return host.counter("crr_objects_total", "Records that were worked on, by what came of them",
                      {{"location", location}, {"result", result}});
}

}  // namespace

Replicator::Replicator(const sdk::Host& host, std::string location, const Rules& rules, std::shared_ptr<ObjectSource> source,
                       std::unique_ptr<ObjectStore> store, Options options)
    : host_(host),
      location_(std::move(location)),
      rules_(rules),
      source_(std::move(source)),
      store_(std::move(store)),
      states_(host),
      versions_(*source_, *store_, rules_, location_, hooks(std::move(options.history_copied))),
      breaker_(options.error_rate),
      bytes_(host.counter("crr_replicated_bytes_total", "Bytes written to targets", {{"location", location_}})),
      copied_(results(host, location_, "copied")),
      removed_(results(host, location_, "removed")),
      unchanged_(results(host, location_, "unchanged")),
      skipped_(results(host, location_, "skipped")),
      retried_(results(host, location_, "retried")),
      failed_(results(host, location_, "failed")),
      left_out_(host.counter("crr_versions_left_out_total", "Older versions that could not be copied and were left out",
                             {{"location", location_}})),
      latency_(host.histogram("crr_replication_seconds", "From journaled to completed", {{"location", location_}})) {}

VersionSync::Hooks Replicator::hooks(std::function<bool()> history_copied) const {
  return {std::move(history_copied), [this](const ObjectId& id, const std::string& version_id, const Status& why) {
            left_out_.record(1);
            host_.warn("version " + version_id + " of " + text::printable(id.path()) + " is left out: " + why.message(), location_);
          }};
}

Status Replicator::replicate(const ReplicationRecord& record, const Attempt& attempt) {
  if (const auto reason = breaker_.why_open(); !reason.empty()) return {Code::kUnavailable, reason};
  auto before = states_.get(record.id, location_);
  if (!before) return before.status();
  const VersionSync::Question question{before->has_value(), attempt.redelivered || record.late, attempt.last};
  ObjectState state = std::move(*before).value_or(ObjectState{});
  state.version = std::max(state.version, record.version);
  state.attempts = attempt.number;
  state.updated_ms = now_ms();
  auto done = apply(record, question, state);
  if (done) {
    set_trouble({});
    if (*done == Done::kCopied || *done == Done::kRemoved) breaker_.succeeded();
  } else {
    done = judge(done.status());
  }
  if (auto kept = keep(record, done, attempt, state); !kept) return kept;
  count(done, state, attempt.produced_ms);
  return done.status();
}

Result<Done> Replicator::apply(const ReplicationRecord& record, const VersionSync::Question& question, ObjectState& state) {
  if (record.is_versioned()) return versions_.apply(record, question, state);
  if (record.type != ReplicationRecord::Type::kSync || !record.version_id.empty()) return apply_current(record, state);
  // Nobody said which version: the source's list tells whether it keeps any.
  const auto versions = source_->versions(record.id, state.version_id);
  if (!versions && versions.status().code() != Code::kUnimplemented) return versions.status();
  ReplicationRecord named = record;
  if (versions && !versions->empty()) named.version_id = versions->front().version_id;
  return named.is_versioned() ? versions_.apply(named, question, state) : apply_current(record, state);
}

Result<Done> Replicator::apply_current(const ReplicationRecord& record, ObjectState& state) {
  using Type = ReplicationRecord::Type;
  const bool is_delete = record.type == Type::kDelete || record.type == Type::kDeleteVersion;
  if (is_delete && !rules_.delete_markers(record.id, location_)) {
    state.reason = "deletions are not replicated here";
    return Done::kSkipped;
  }
  auto source = source_->open(record.id);
  if (!source && source.status().code() != Code::kNotFound) return source.status();
  const bool found = source.is_ok();
  // Gone again: the record of its deletion follows. There again: the record of its return follows.
  if (record.type != Type::kSync && found == is_delete) return Done::kSuperseded;
  if (!found) return remove(record);
  if (auto reason = why_skipped(rules_, location_, record.id, (*source)->meta()); !reason.empty()) {
    state.reason = std::move(reason);
    return Done::kSkipped;
  }
  if (record.type != Type::kTags) return put(record, **source, state);
  const auto tagged = store_->put_tags(record.id, (*source)->meta().version_id, (*source)->meta().tags);
  if (tagged.code() == Code::kNotFound) return put(record, **source, state);
  if (!tagged) return tagged;
  return Done::kCopied;
}

Result<Done> Replicator::put(const ReplicationRecord& record, ObjectReader& source, ObjectState& state) {
  if (!state.etag.empty() && state.fingerprint == source.meta().fingerprint) {
    const auto same = store_->has(record.id, source.meta());
    if (!same) return same.status();
    if (*same) return Done::kUpToDate;
  }
  auto stored = store_->put(record.id, source);
  if (!stored) return stored.status();
  state.bytes = stored->bytes;
  state.etag = std::move(stored->etag);
  state.fingerprint = source.meta().fingerprint;
  state.version_id = source.meta().version_id;
  return Done::kCopied;
}

Result<Done> Replicator::remove(const ReplicationRecord& record) {
  const auto still_gone = [this, &record] {
    const auto source = source_->open(record.id);
    if (!source) return source.status().code() == Code::kNotFound ? Status::ok() : source.status();
    return Status(Code::kAborted, "source " + record.id.path() + " came back while it was removed");
  };
  if (auto removed = store_->remove(record.id, still_gone); !removed) return removed.status();
  return Done::kRemoved;
}

Status Replicator::judge(const Status& failure) {
  if (const auto place = store_->check(); !place) {
    breaker_.failed(place.message());
    return {Code::kUnavailable, place.message()};  // e.g. a root that nobody may write to
  }
  switch (failure.code()) {
    case Code::kResourceExhausted: breaker_.failed(failure.message()); [[fallthrough]];
    case Code::kUnauthenticated:
    case Code::kUnavailable: set_trouble(failure.message()); return {Code::kUnavailable, failure.message()};
    default: return failure;
  }
}

void Replicator::set_trouble(std::string reason) {
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(reason);
}

Status Replicator::keep(const ReplicationRecord& record, const Result<Done>& done, const Attempt& attempt, ObjectState& state) {
  using Standing = ObjectState::Status;
  if (!done) {
    const bool waits = done.status().code() == Code::kUnavailable || (done.status().retryable() && !attempt.last);
    state.status = waits ? Standing::kPending : Standing::kFailed;
    state.reason = done.status().message();
    if (!waits) {
      if (state.failed_id != attempt.id) settle_failed(state);  // one record at a time stands for the object
      state.failed_id = attempt.id;
      state.failed_version = record.version_id;
    }
    return states_.put(record.id, location_, state);
  }
  switch (*done) {
    case Done::kSuperseded: return Status::ok();
    case Done::kSkipped: state.status = Standing::kSkipped; break;
    case Done::kUpToDate:
      // Of another version than the one that failed, which is still missing.
      if (!state.failed_id.empty() && record.version_id != state.failed_version) return states_.put(record.id, location_, state);
      [[fallthrough]];
    case Done::kCopied:
    case Done::kRemoved:
      settle_failed(state);
      if (*done == Done::kRemoved && !record.is_versioned() && !state.deleted) return states_.remove(record.id, location_);
      state.status = Standing::kCompleted;
      state.completed_ms = now_ms();
      state.reason.clear();
  }
  return states_.put(record.id, location_, state);
}

void Replicator::settle_failed(ObjectState& state) {
  if (state.failed_id.empty()) return;
  const auto discarded = host_.discard_failed(location_, state.failed_id);
  if (!discarded)
    host_.warn("the failed record " + state.failed_id + ", which a later version superseded, stays: " + discarded.message(), location_);
  state.failed_id.clear();
  state.failed_version.clear();
}

void Replicator::count(const Result<Done>& done, const ObjectState& state, std::int64_t produced_ms) const {
  if (!done) return (state.status == ObjectState::Status::kFailed ? failed_ : retried_).record(1);
  switch (*done) {
    case Done::kCopied:
      copied_.record(1);
      bytes_.record(static_cast<double>(state.bytes));
      break;
    case Done::kRemoved: removed_.record(1); break;
    case Done::kSkipped: return skipped_.record(1);
    case Done::kUpToDate:
    case Done::kSuperseded: return unchanged_.record(1);
  }
  latency_.record(static_cast<double>(now_ms() - produced_ms) / 1e3);
}

void Replicator::probe() {
  if (!is_probe_due()) return;
  const auto status = store_->check();
  if (status && !cleaned_) {
    const auto cleaned = store_->clean();
    if (!cleaned) host_.warn("interrupted copies could not be removed: " + cleaned.message(), location_);
    cleaned_ = cleaned.is_ok();
  }
  probed(status);
}

bool Replicator::is_probe_due() {
  if (!waits_for_target_ && !breaker_.why_open().empty()) back_off();
  return Clock::now() >= next_probe_;
}

// A target that answers probes and fails what matters is tried less and less often, too.
void Replicator::back_off() {
  waits_for_target_ = true;
  probe_delay_ = std::clamp(probe_delay_ * 2, kFirstProbe, kLastProbe);
  next_probe_ = Clock::now() + probe_delay_;
}

void Replicator::probed(const Status& status) {
  if (!status) {
    const std::string before = breaker_.why_open();
    breaker_.open(status.message());
    if (const auto reason = breaker_.why_open(); reason != before) host_.warn(reason, location_);
    return back_off();
  }
  next_probe_ = Clock::now() + kProbeInterval;
  if (!breaker_.close()) {
    probe_delay_ = std::chrono::seconds(0);
    return;
  }
  waits_for_target_ = false;
  host_.info("the target is there again", location_);
  host_.hurry(location_);
}

std::string Replicator::degraded() const {
  if (auto reason = breaker_.why_open(); !reason.empty()) return reason;
  const std::lock_guard lock(mutex_);
  return trouble_;
}

std::int64_t Replicator::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(host_.now().time_since_epoch()).count();
}

}  // namespace fermata::crr
