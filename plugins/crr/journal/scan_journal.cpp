#include "journal/scan_journal.hpp"

#include "journal/s3_event.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace fermata::crr {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kPollTime = 500ms;
constexpr std::size_t kMaxRecords = 1'000;
constexpr std::chrono::milliseconds kMaxIdle = 60s;
constexpr auto kFinishedInterval = 10s;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kMsPerS = 1'000;
constexpr const char* kFinishedKey = "scan-finished";

/// FNV-1a, which stays the same from build to build.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return std::to_string(hash);
}

/// The fingerprint that a copy of this version leaves in the object's state where no versions are kept; see to_meta.
bool is_copy_of(const ObjectState& state, const s3::ListedVersion& listed) {
  const std::string end = "/" + listed.etag + "/" + std::to_string(listed.last_modified_ms / kMsPerS * kMsPerS);
  return state.fingerprint == end || state.fingerprint == "null" + end;
}

}  // namespace

ScanJournal::ScanJournal(const sdk::Host& host, const Rules& rules, std::unique_ptr<VersionListing> listing,
                         std::chrono::milliseconds interval, std::string digest)
    : host_(host),
      rules_(rules),
      listing_(std::move(listing)),
      interval_(interval),
      digest_(std::move(digest)),
      index_(host),
      states_(host),
      keys_(host.counter("crr_scan_keys_total", "Keys of the source that scans looked at")),
      records_(host.counter("crr_journal_records_total", "Changes of objects that were journaled", {{"type", "sync"}})),
      rounds_(host.counter("crr_scan_rounds_total", "Scans of the source that were ended")),
      running_scan_(host.gauge("crr_scan_running", "1 while a scan is under way")) {}

ScanJournal::~ScanJournal() { stop(); }

Status ScanJournal::start() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(running_, true)) thread_ = std::thread([this] { run(); });
  return Status::ok();
}

void ScanJournal::stop() {
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  changed_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  if (auto open = take_request()) open->batch.finish(open->checkpoint);
}

void ScanJournal::poll(std::string checkpoint, sdk::Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (running_) {
      request_.emplace(Request{std::move(checkpoint), std::move(batch)});
      changed_.notify_all();
      return;
    }
  }
  batch.finish(checkpoint, kMaxIdle);
}

std::string ScanJournal::degraded() const {
  const std::lock_guard lock(mutex_);
  return degraded_;
}

bool ScanJournal::is_running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::optional<ScanJournal::Request> ScanJournal::take_request() {
  const std::lock_guard lock(mutex_);
  return std::exchange(request_, std::nullopt);
}

void ScanJournal::run() {
  while (is_running()) {
    look_for_finished();
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kFinishedInterval, [this] { return !running_ || request_; });
      if (!running_) return;
    }
    if (auto request = take_request()) serve(std::move(*request));
  }
}

void ScanJournal::serve(Request request) {
  Cursor cursor = parse(request.checkpoint);
  const auto wait = begin_if_due(cursor);
  if (wait > 0ms) {
    if (cursor.done) remember_finished();
    return request.batch.finish(request.checkpoint, std::min(wait, kMaxIdle));
  }
  running_scan_.record(1);
  const auto status = scan(cursor, request.batch);
  set_degraded(status);
  std::string checkpoint = format(cursor);
  // What was looked at before the failure counts; the next poll meets the failure at once.
  if (!status && checkpoint == request.checkpoint) return request.batch.fail(status);
  request.batch.finish(checkpoint);
}

std::chrono::milliseconds ScanJournal::begin_if_due(Cursor& cursor) const {
  const std::int64_t now = now_ms();
  if (cursor.digest == digest_) {
    if (!cursor.done) return 0ms;
    if (interval_ == 0ms) return kMaxIdle;
    // A clock that was set back must not put the next scan off for longer than the interval.
    const auto wait = std::chrono::milliseconds(std::min(cursor.began_ms, now) - now) + interval_;
    if (wait > 0ms) return wait;
  }
  const std::uint64_t rounds = cursor.round;
  cursor = Cursor{};
  cursor.digest = digest_;
  cursor.round = rounds + 1;
  cursor.began_ms = now;
  return 0ms;
}

Status ScanJournal::scan(Cursor& cursor, sdk::Batch& batch) {
  emitted_ = 0;
  const auto until = Clock::now() + kPollTime;
  do {
    const auto bucket = bucket_of(cursor);
    if (!bucket) return bucket.status();
    if (!*bucket) {
      end_round(cursor);
      return Status::ok();
    }
    if (cursor.bucket != **bucket) move_to(**bucket, cursor);
    const auto page = listing_->page(cursor.bucket, cursor.key_marker, cursor.version_marker);
    if (!page && page.status().code() == Code::kNotFound) {
      host_.info("the scan passes over bucket " + text::printable(cursor.bucket) + ", which is not there");
      next_bucket(cursor);
      continue;
    }
    if (!page) return page.status();
    const auto room = take(**bucket, *page, cursor, batch);
    if (!room) return room.status();
    if (!*room) return Status::ok();
  } while (Clock::now() < until && is_running());
  return Status::ok();
}

Result<std::optional<std::string>> ScanJournal::bucket_of(const Cursor& cursor) {
  if (buckets_round_ != cursor.round) {
    auto buckets = rules_.buckets();
    if (buckets.empty()) {
      auto listed = listing_->buckets();
      if (!listed) return listed.status();
      buckets = std::move(*listed);
    }
    std::sort(buckets.begin(), buckets.end());
    buckets_ = std::move(buckets);
    buckets_round_ = cursor.round;
  }
  const auto bucket = std::lower_bound(buckets_.begin(), buckets_.end(), cursor.bucket);
  return bucket == buckets_.end() ? std::nullopt : std::optional(*bucket);
}

Result<bool> ScanJournal::take(const std::string& bucket, const s3::VersionPage& page, Cursor& cursor, sdk::Batch& batch) {
  for (auto entry = page.versions.begin(); entry != page.versions.end(); ++entry) {
    const auto& version = *entry;
    if (version.key == cursor.last) continue;  // an older one of a key that was looked at
    const auto next = std::next(entry);
    const bool alone = !version.is_delete_marker && (next == page.versions.end() ? !page.truncated : next->key != version.key);
    const auto status = look_at({bucket, version.key}, version, alone, batch);
    if (status.code() == Code::kResourceExhausted && emitted_ > 0) return false;
    if (!status) return status;
    keys_.record(1);
    ++cursor.keys;
    cursor.last = cursor.key_marker = version.key;
    cursor.version_marker.clear();
    if (emitted_ >= kMaxRecords) return false;
  }
  if (page.truncated) {
    cursor.key_marker = page.next_key_marker;
    cursor.version_marker = page.next_version_id_marker;
  } else {
    next_bucket(cursor);
  }
  return true;
}

Status ScanJournal::look_at(const ObjectId& id, const s3::ListedVersion& newest, bool alone, sdk::Batch& batch) {
  const std::string path = id.path();
  auto destinations = rules_.destinations(id);
  if (destinations.empty()) return Status::ok();
  if (const auto reason = why_no_object(path); !reason.empty()) {
    host_.warn("not replicated: " + text::printable(path) + ": " + std::string(reason));
    return Status::ok();
  }
  const auto settled = is_settled(id, newest, destinations);
  if (!settled) return settled.status();
  const auto known = index_.get(path);
  if (!known) return known.status();
  JournaledObject object{newest.size, newest.last_modified_ms * kNsPerMs, version_fingerprint(newest.version_id, newest.etag)};
  const bool differs = !*known || (*known)->fingerprint != object.fingerprint;
  // Version 0 is older than any state, so an object that is settled does not look as if it waited.
  if (!*settled) object.version = next_version();
  if (differs)
    if (auto status = index_.put(path, object); !status) return status;
  if (*settled) return Status::ok();
  ReplicationRecord record{
      ReplicationRecord::Type::kSync, id, object.version, object.size, object.mtime_ns, std::move(destinations), newest.version_id};
  record.alone = alone;
  if (auto status = batch.emit(record_key(id), format_record(record)); !status) return status;
  ++emitted_;
  records_.record(1);
  return Status::ok();
}

Result<bool> ScanJournal::is_settled(const ObjectId& id, const s3::ListedVersion& newest,
                                     const std::vector<std::string>& destinations) const {
  using Standing = ObjectState::Status;
  const bool versioned = !newest.version_id.empty() && newest.version_id != "null";
  for (const auto& location : destinations) {
    const auto state = states_.get(id, location);
    if (!state) return state.status();
    if (!*state || (*state)->unsure) return false;
    if (versioned ? (*state)->version_id != newest.version_id : !is_copy_of(**state, newest)) return false;
    // What was passed over stays so, unless it was for its tags, which may be others now.
    const bool passed_over = (*state)->status == Standing::kSkipped && rules_.matches(id, location, {});
    if ((*state)->status != Standing::kCompleted && !passed_over) return false;
  }
  return true;
}

void ScanJournal::next_bucket(Cursor& cursor) const {
  const auto next = std::upper_bound(buckets_.begin(), buckets_.end(), cursor.bucket);
  // "~" sorts behind every name that a bucket can have.
  move_to(next == buckets_.end() ? "~" : *next, cursor);
}

void ScanJournal::move_to(std::string bucket, Cursor& cursor) {
  cursor.bucket = std::move(bucket);
  cursor.last.clear();
  cursor.key_marker.clear();
  cursor.version_marker.clear();
}

void ScanJournal::end_round(Cursor& cursor) {
  cursor.done = true;
  rounds_.record(1);
  running_scan_.record(0);
  host_.info("scanned the source: looked at " + std::to_string(cursor.keys) + " keys");
}

void ScanJournal::remember_finished() {
  if (finished_) return;
  if (const auto status = host_.kv_put(kFinishedKey, digest_); !status) return;
  finished_ = true;
}

void ScanJournal::look_for_finished() {
  if (finished_) return;
  const auto found = host_.kv_get(kFinishedKey);
  if (found && *found == digest_) finished_ = true;
}

void ScanJournal::set_degraded(const Status& status) {
  std::string reason = status ? std::string() : "the scan of the source does not get on: " + status.message();
  {
    const std::lock_guard lock(mutex_);
    if (degraded_ == reason) return;
    degraded_ = reason;
  }
  reason.empty() ? host_.info("the scan of the source goes on") : host_.warn(reason);
}

ScanJournal::Cursor ScanJournal::parse(const std::string& checkpoint) {
  Cursor cursor;
  try {
    if (checkpoint.empty()) return cursor;
    const auto value = json::parse(checkpoint);
    const auto& fields = value.as_object();
    const auto text_of = [&fields](std::string_view name) { return std::string(fields.at(name).as_string()); };
    const auto key_of = [&text_of](std::string_view name) { return text::percent_decode(text_of(name)).value_or(std::string()); };
    cursor.round = fields.at("round").to_number<std::uint64_t>();
    cursor.began_ms = fields.at("began_ms").to_number<std::int64_t>();
    cursor.done = fields.at("done").as_bool();
    cursor.keys = fields.at("keys").to_number<std::uint64_t>();
    cursor.bucket = text_of("bucket");
    cursor.last = key_of("last");
    cursor.key_marker = key_of("key_marker");
    cursor.version_marker = key_of("version_marker");
    cursor.digest = text_of("digest");
  } catch (const std::exception&) {
    return {};  // written by something else: everything is scanned
  }
  return cursor;
}

// Keys can be any bytes, JSON cannot.
std::string ScanJournal::format(const Cursor& cursor) {
  return json::serialize(json::object{{"digest", cursor.digest},
                                      {"round", cursor.round},
                                      {"began_ms", cursor.began_ms},
                                      {"done", cursor.done},
                                      {"keys", cursor.keys},
                                      {"bucket", cursor.bucket},
                                      {"last", text::encode_uri_component(cursor.last)},
                                      {"key_marker", text::encode_uri_component(cursor.key_marker)},
                                      {"version_marker", text::encode_uri_component(cursor.version_marker)}});
}

std::int64_t ScanJournal::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(host_.now().time_since_epoch()).count();
}

std::uint64_t ScanJournal::next_version() {
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(host_.now().time_since_epoch()).count();
  return version_ = std::max(version_ + 1, static_cast<std::uint64_t>(now_us));
}

std::string scan_digest(const Settings& settings) {
  json::array rules;
  for (const auto& rule : settings.rules)
    rules.push_back(json::array{rule.bucket, rule.prefix, json::value_from(rule.tags), json::value_from(rule.locations),
                                rule.delete_markers, rule.version_deletes});
  auto names = settings.location_names();
  std::sort(names.begin(), names.end());
  return hash_of(json::serialize(json::array{settings.source.s3.endpoint, std::move(rules), json::value_from(names)}));
}

}  // namespace fermata::crr
