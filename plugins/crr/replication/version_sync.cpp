#include "replication/version_sync.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fermata::crr {
namespace {

using Type = ReplicationRecord::Type;

Status ok() { return Status::ok(); }

/// True if this version's own trouble will not pass, or there is no other try; what troubles source or target passes.
bool is_final(const Status& status, bool last) {
  switch (status.code()) {
    case Code::kUnavailable:
    case Code::kUnauthenticated:
    case Code::kResourceExhausted: return false;
    default: return last || !status.retryable();
  }
}

Done skip(std::string reason, ObjectState& state) {
  state.reason = std::move(reason);
  return Done::kSkipped;
}

bool has_marker(const ObjectState& state, const std::string& source_version) {
  return std::any_of(state.markers.begin(), state.markers.end(),
                     [&source_version](const auto& marker) { return marker.first == source_version; });
}

std::string take_marker(ObjectState& state, const std::string& source_version) {
  const auto found = std::find_if(state.markers.begin(), state.markers.end(),
                                  [&source_version](const auto& marker) { return marker.first == source_version; });
  if (found == state.markers.end()) return {};
  std::string target_version = std::move(found->second);
  state.markers.erase(found);
  return target_version;
}

void take_back(const std::string& version_id, ObjectState& state) {
  std::erase_if(state.left_out, [&version_id](const auto& entry) { return entry.first == version_id; });
}

}  // namespace

std::string why_skipped(const Rules& rules, const std::string& location, const ObjectId& id, const ObjectMeta& meta) {
  if (meta.replica) return "it is a replica itself";
  if (!rules.matches(id, location, meta.tags)) return "no rule sends it here";
  return {};
}

VersionSync::VersionSync(ObjectSource& source, ObjectStore& store, const Rules& rules, const std::string& location, Hooks hooks)
    : source_(source), store_(store), rules_(rules), location_(location), hooks_(std::move(hooks)) {}

Result<Done> VersionSync::apply(const ReplicationRecord& record, const Question& question, ObjectState& state) {
  switch (record.type) {
    case Type::kDelete:
      if (!rules_.delete_markers(record.id, location_)) return skip("delete markers are not replicated here", state);
      if (has_marker(state, record.version_id)) {
        // We have made it and are told again: perhaps because it is gone, which MinIO tells in the same words.
        const auto there = is_there(record);
        if (!there) return there.status();
        if (!*there) return remove_version(record, state);
      }
      break;
    case Type::kDeleteVersion: return remove_version(record, state);
    case Type::kTags: return retag(record, question, state);
    case Type::kPut:
      if (!question.known && !question.in_doubt && hooks_.history_copied()) return copy(record.id, record.version_id, state);
      break;
    case Type::kSync:
      if (record.alone && !question.known) return copy_alone(record, question, state);
      // What was passed over for its tags may be wanted by now.
      if (state.status == ObjectState::Status::kSkipped) return sync(record, {question.known, true, question.last}, state);
      break;
  }
  if (!question.in_doubt && !state.unsure && state.version_id == record.version_id) return Done::kUpToDate;
  return sync(record, question, state);
}

Result<Done> VersionSync::sync(const ReplicationRecord& record, const Question& question, ObjectState& state) {
  const auto todo = missing(record, question, state);
  if (!todo) return todo.status();
  Done last = Done::kUpToDate;
  for (auto version = todo->rbegin(); version != todo->rend(); ++version) {
    // What was given up is behind us, unless somebody wants it tried again.
    if (version->version_id == state.failed_version && version->version_id != record.version_id) {
      pass_by(record.id, version->version_id, {Code::kAborted, "it was given up when it was the newest"}, state);
      continue;
    }
    auto done = version->delete_marker ? mark_deleted(record.id, version->version_id, state) : copy(record.id, version->version_id, state);
    const bool newest = std::next(version) == todo->rend();
    if (!done && !newest && is_final(done.status(), question.last)) {
      pass_by(record.id, version->version_id, done.status(), state);
      continue;
    }
    if (!done) return done;
    if (*done != Done::kSuperseded || last == Done::kUpToDate) last = *done;  // what was copied before one went must be kept
  }
  state.unsure = false;
  return last;
}

void VersionSync::pass_by(const ObjectId& id, const std::string& version_id, const Status& why, ObjectState& state) const {
  const auto known = state.left_out.size();
  take_back(version_id, state);
  if (state.left_out.size() == known) hooks_.left_out(id, version_id, why);
  state.left_out.emplace_back(version_id, why.message());
  if (state.left_out.size() > ObjectState::kMaxLeftOut) state.left_out.erase(state.left_out.begin());
}

Result<VersionSync::Versions> VersionSync::missing(const ReplicationRecord& record, const Question& question, ObjectState& state) {
  const bool trusted = !question.in_doubt && !state.unsure && !state.version_id.empty();
  auto versions = source_.versions(record.id, trusted ? state.version_id : std::string());
  if (!versions) return versions;
  if (versions->empty()) return versions;
  if (trusted && versions->back().version_id == state.version_id) {
    versions->pop_back();
    return versions;
  }
  const auto count = count_missing(record.id, *versions);
  if (!count) return count.status();
  if (*count < versions->size()) {
    state.version_id = versions->at(*count).version_id;
    state.deleted = versions->at(*count).delete_marker;
  }
  versions->resize(*count);
  return versions;
}

Result<std::size_t> VersionSync::count_missing(const ObjectId& id, const Versions& versions) {
  const auto index_of = [&versions](const std::string& version_id) {
    const auto found =
        std::find_if(versions.begin(), versions.end(), [&version_id](const auto& version) { return version.version_id == version_id; });
    return static_cast<std::size_t>(found - versions.begin());
  };
  const auto now = store_.latest(id);
  if (!now) return now.status();
  if (now->kind == TargetObject::Kind::kNothing) return versions.size();
  if (const auto index = index_of(now->source_version); now->kind == TargetObject::Kind::kObject && index < versions.size()) return index;
  // The newest replica is of a version that the source has no longer, or a delete marker, which nobody can mark.
  const auto history = store_.history(id);
  if (!history) return history.status();
  std::size_t missing = versions.size();
  std::size_t markers = 0;
  for (const auto& entry : *history) {
    if (entry.kind == TargetObject::Kind::kDeleteMarker) ++markers;
    const auto index = entry.kind == TargetObject::Kind::kObject ? index_of(entry.source_version) : versions.size();
    if (index == versions.size()) continue;
    missing = index;
    break;
  }
  for (; missing > 0 && markers > 0 && versions[missing - 1].delete_marker; --markers) --missing;
  return missing;
}

Result<Done> VersionSync::copy(const ObjectId& id, const std::string& version_id, ObjectState& state) {
  auto source = source_.open(id, version_id);
  if (!source && source.status().code() == Code::kNotFound) return Done::kSuperseded;
  if (!source) return source.status();
  const ObjectMeta& meta = (*source)->meta();
  if (auto reason = why_skipped(rules_, location_, id, meta); !reason.empty()) {
    state.version_id = version_id;
    return skip(std::move(reason), state);
  }
  state.unsure = true;  // until the write has ended well: a failed one may have been done
  auto stored = store_.put(id, **source);
  if (!stored) return stored.status();
  state.unsure = false;
  take_back(version_id, state);
  state.bytes = stored->bytes;
  state.etag = std::move(stored->etag);
  state.fingerprint = meta.fingerprint;
  state.version_id = version_id;
  state.deleted = false;
  return Done::kCopied;
}

// There is no older version to look for, and a newer one has a record of its own: where nothing is at the target, the source's list is
// not asked for. To list the versions of one key is dear, as some stores read a whole directory for it.
Result<Done> VersionSync::copy_alone(const ReplicationRecord& record, const Question& question, ObjectState& state) {
  const auto now = question.in_doubt ? store_.latest(record.id) : store_.visible(record.id);
  if (!now) return now.status();
  return now->kind == TargetObject::Kind::kNothing ? copy(record.id, record.version_id, state) : sync(record, question, state);
}

Result<Done> VersionSync::mark_deleted(const ObjectId& id, const std::string& version_id, ObjectState& state) {
  if (rules_.delete_markers(id, location_)) {
    state.unsure = true;
    auto marker = store_.remove(id, ok);
    if (!marker) return marker.status();
    state.unsure = false;
    if (!marker->empty()) state.markers.emplace_back(version_id, std::move(*marker));
    if (state.markers.size() > ObjectState::kMaxMarkers) state.markers.erase(state.markers.begin());
  }
  state.version_id = version_id;
  state.deleted = true;
  return Done::kRemoved;
}

Result<bool> VersionSync::is_there(const ReplicationRecord& record) {
  const auto versions = source_.versions(record.id, record.version_id);
  if (!versions) return versions.status();
  return !versions->empty() && versions->back().version_id == record.version_id;
}

Result<Done> VersionSync::remove_version(const ReplicationRecord& record, ObjectState& state) {
  if (!rules_.version_deletes(record.id, location_)) return skip("removals of versions are not replicated here", state);
  if (auto status = store_.remove_version(record.id, record.version_id, take_marker(state, record.version_id)); !status) return status;
  take_back(record.version_id, state);
  if (state.version_id == record.version_id) state.version_id.clear();  // the target's own versions tell what is newest now
  return show_newest(record.id, state);
}

Result<Done> VersionSync::show_newest(const ObjectId& id, ObjectState& state) {
  const auto now = store_.latest(id);
  if (!now) return now.status();
  if (!now->target_version.empty() && now->target_version != "null") return Done::kRemoved;  // the version before it shows
  const auto versions = source_.versions(id, {});
  if (!versions) return versions.status();
  if (versions->empty() || versions->front().delete_marker) {
    if (auto removed = store_.remove(id, ok); !removed) return removed.status();
    return Done::kRemoved;
  }
  const auto& newest = versions->front().version_id;
  if (now->kind == TargetObject::Kind::kObject && now->source_version == newest) return Done::kRemoved;
  return copy(id, newest, state);
}

Result<Done> VersionSync::retag(const ReplicationRecord& record, const Question& question, ObjectState& state) {
  auto meta = source_.stat(record.id, record.version_id);
  if (!meta && meta.status().code() == Code::kNotFound) return Done::kSuperseded;
  if (!meta) return meta.status();
  auto tags = source_.tags(record.id, record.version_id);
  if (!tags) return tags.status();
  meta->tags = *tags;
  if (auto reason = why_skipped(rules_, location_, record.id, *meta); !reason.empty()) return skip(std::move(reason), state);
  const auto tagged = store_.put_tags(record.id, record.version_id, *tags);
  if (tagged) return Done::kCopied;
  if (tagged.code() != Code::kNotFound) return tagged;
  // Not there: perhaps because its tags were others. The newest version can still be brought.
  if (state.version_id == record.version_id) return copy(record.id, record.version_id, state);
  return sync(record, question, state);
}

}  // namespace fermata::crr
