#include "journal/journal_writer.hpp"

#include "files/posix.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <exception>

namespace fermata::crr {
namespace {

namespace json = boost::json;

/// The version in a checkpoint; 0 if it is empty or not ours.
std::uint64_t parse_checkpoint(const std::string& checkpoint) {
  try {
    const auto value = checkpoint.empty() ? json::value(json::object{}) : json::parse(checkpoint);
    const auto* version = value.as_object().if_contains("version");
    return version == nullptr ? 0 : version->to_number<std::uint64_t>();
  } catch (const std::exception&) {
    return 0;
  }
}

constexpr const char* kLocationsKey = "locations";

/// The same for the same set, in whatever order: FNV-1a, which stays the same from build to build.
std::string digest(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&hash](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u; };
  for (const auto& name : names) {
    std::for_each(name.begin(), name.end(), mix);
    mix('/');  // in no name
  }
  return std::to_string(hash);
}

/// What cannot be read counts as none: it is written anew.
std::vector<std::string> parse_names(const std::optional<std::string>& text) {
  try {
    return text ? json::value_to<std::vector<std::string>>(json::parse(*text)) : std::vector<std::string>();
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

JournalWriter::JournalWriter(const sdk::Host& host, std::vector<std::string> locations)
    : host_(host),
      index_(host),
      configured_(std::move(locations)),
      digest_(digest(configured_)),
      locations_(configured_),
      puts_(host.counter("crr_journal_records_total", "Changes of objects that were journaled", {{"type", "put"}})),
      deletes_(host.counter("crr_journal_records_total", "Changes of objects that were journaled", {{"type", "del"}})) {}

Result<JournalWriter::Begun> JournalWriter::begin(const std::string& checkpoint) {
  Begun begun;
  if (!first_ && checkpoint == begun_at_) {
    for (const auto& [path, object] : pending_) begun.unacknowledged.push_back(path);
  } else if (!first_ && checkpoint == finished_at_) {
    if (auto status = enter_pending(); !status) return status;
  } else {
    if (auto status = remember_locations(); !status) return status;
    begun.anew = true;
  }
  pending_.clear();
  first_ = false;
  begun_at_ = finished_at_ = checkpoint;
  version_ = std::max(version_, parse_checkpoint(checkpoint));
  return begun;
}

Status JournalWriter::enter_pending() {
  for (const auto& [path, object] : pending_)
    if (auto status = object ? index_.put(path, *object) : index_.remove(path); !status) return status;
  return Status::ok();
}

Status JournalWriter::remember_locations() {
  const auto stored = host_.kv_get(kLocationsKey);
  if (!stored) return stored.status();
  const auto before = parse_names(*stored);
  auto all = configured_;
  for (const auto& name : before)
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  if (all.size() != before.size())
    if (auto status = host_.kv_put(kLocationsKey, json::serialize(json::value_from(all))); !status) return status;
  locations_ = std::move(all);
  return Status::ok();
}

Result<std::optional<JournaledObject>> JournalWriter::known(const std::string& path) const {
  const auto emitted = pending_.find(path);
  return emitted != pending_.end() ? emitted->second : index_.get(path);
}

Status JournalWriter::examine(sdk::Batch& batch, const std::string& path, const std::optional<struct stat>& info) {
  const auto before = known(path);
  if (!before) return before.status();
  if (!info) return *before ? emit(batch, ReplicationRecord::Type::kDelete, path, **before) : Status::ok();
  JournaledObject now{static_cast<std::uint64_t>(info->st_size), to_ns(info->st_mtim), fingerprint_at(*info, file_clock_ns()), 0, digest_};
  if (*before && (*before)->fingerprint == now.fingerprint && (*before)->locations == digest_) return Status::ok();
  if (!*before)
    if (auto status = announce(path, now); !status) return status;
  return emit(batch, ReplicationRecord::Type::kPut, path, now);
}

// What is put before a record is emitted is durable before the record: should the process die in between, the next scan
// knows that the object may be at the targets, and finds out if it has been deleted.
Status JournalWriter::announce(const std::string& path, JournaledObject object) const {
  object.fingerprint.clear();  // no file's: it is journaled again unless this is overwritten
  return index_.put(path, object);
}

Status JournalWriter::emit(sdk::Batch& batch, ReplicationRecord::Type type, const std::string& path, const JournaledObject& object) {
  auto id = parse_object_path(path);
  if (!id) return id.status();
  // Microseconds since 1970, so that versions also grow over a crash that lost the checkpoint.
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(host_.now().time_since_epoch()).count();
  const std::uint64_t version = std::max(version_ + 1, static_cast<std::uint64_t>(now_us));
  const ReplicationRecord record{type, std::move(*id), version, object.size, object.mtime_ns, locations_};
  if (auto status = batch.emit(record_key(record.id), format_record(record)); !status) return status;
  version_ = version;
  const bool is_put = type == ReplicationRecord::Type::kPut;
  (is_put ? puts_ : deletes_).record(1);
  auto& entry = pending_[path];
  entry.reset();
  if (is_put) {
    entry = object;
    entry->version = version;
  }
  return Status::ok();
}

const std::string& JournalWriter::finish() {
  if (!pending_.empty()) finished_at_ = json::serialize(json::object{{"version", version_}});
  return finished_at_;
}

}  // namespace fermata::crr
