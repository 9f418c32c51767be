#include "journal/event_intake.hpp"

#include "text/text.hpp"
#include "work/acknowledgements.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

namespace fermata::crr {
namespace {

using Type = ReplicationRecord::Type;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kMaxWaiting = 4'096;
constexpr std::uint32_t kMaxInFlight = 1'000;
constexpr std::int64_t kPromptMs = 1'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

/// Told so long after it happened, or by a clock so wrong, that other events of the object may have come before it.
bool is_late(const S3Event& event, const EventIntake::Telling& telling) {
  if (telling.is_repeated || event.time_ms == 0) return true;
  const std::int64_t latest_ms = event.time_ms + event.time_span_ms;
  return telling.time_ms - latest_ms > kPromptMs || event.time_ms - telling.time_ms > kPromptMs;
}

sdk::Metric events(const sdk::Host& host, std::string_view result) {
  return host.counter("crr_events_total", "Events of buckets that came, by what became of them", {{"result", result}});
}

/// An outage is nothing the message can help: it waits for the end of it and is never given up.
void finish(sdk::Delivery& delivery, const Status& status) {
  status.retryable() ? delivery.postpone(status.message()) : delivery.finish(status);
}

}  // namespace

EventIntake::EventIntake(sdk::Host& host, const Rules& rules, std::string topic)
    : host_(host),
      rules_(rules),
      topic_(std::move(topic)),
      index_(host),
      journaled_(events(host, "journaled")),
      unwanted_(events(host, "unwanted")),
      ignored_(events(host, "ignored")),
      replicas_(events(host, "replica")),
      invalid_(events(host, "invalid")),
      pool_(kThreads, kMaxWaiting) {}

Status EventIntake::add(const std::string& events_topic) {
  sdk::Processor processor;
  processor.name = "events-" + events_topic;
  processor.topic = events_topic;
  processor.group = "crr-events-" + events_topic;
  processor.max_in_flight = kMaxInFlight;
  processor.process = [this](const sdk::Record& record, sdk::Delivery delivery) { process(record, std::move(delivery)); };
  return host_.register_processor(std::move(processor));
}

void EventIntake::process(const sdk::Record& record, sdk::Delivery delivery) {
  const auto open = std::make_shared<sdk::Delivery>(std::move(delivery));
  const Telling telling{record.timestamp_ms, record.redelivered || record.attempt > 1};
  const auto taken = take(record.value, telling, [open](const Status& status) { finish(*open, status); });
  if (!taken) open->fail(taken.message());
}

Status EventIntake::take(std::string_view text, const Telling& telling, std::function<void(const Status&)> end) {
  auto notification = parse_s3_notification(text);
  if (!notification) {
    invalid_.record(1);
    return notification.status();
  }
  auto changes = changes_of(std::move(*notification), telling);
  const auto told = std::make_shared<Acknowledgements>(2 * changes.size(), std::move(end));
  for (auto& change : changes) {
    const std::size_t hash = std::hash<std::string>{}(change.event.id.path());
    pool_.post(hash, [this, told, change = std::move(change)]() mutable { journal(std::move(change), told); });
  }
  return Status::ok();
}

std::vector<EventIntake::Change> EventIntake::changes_of(S3Notification notification, const Telling& telling) {
  ignored_.record(static_cast<double>(notification.ignored));
  replicas_.record(static_cast<double>(notification.replicas));
  std::vector<Change> changes;
  for (auto& event : notification.events) {
    auto destinations = rules_.destinations(event.id);
    const auto refusal = why_no_object(event.id.path());
    if (!refusal.empty()) host_.warn("not replicated: " + text::printable(event.id.path()) + ": " + std::string(refusal));
    if (destinations.empty() || !refusal.empty()) {
      unwanted_.record(1);
      continue;
    }
    ReplicationRecord change{
        event.type, event.id, 0, event.size, event.time_ms * kNsPerMs, std::move(destinations), event.version_id, is_late(event, telling)};
    changes.push_back({std::move(event), std::move(change)});
  }
  return changes;
}

void EventIntake::journal(Change change, const std::shared_ptr<Acknowledgements>& told) {
  try {
    change.record.version = next_version();
    const auto& record = change.record;
    const auto taken =
        host_.produce(topic_, record_key(record.id), format_record(record), [told](const Status& produced) { told->settle(produced); });
    if (!taken) return told->settle(taken);
    // Both become durable at the same time; should only the record, it is told again.
    told->settle(enter(change));
    journaled_.record(1);
  } catch (const std::exception& error) {
    told->settle({Code::kAborted, error.what()});
  }
}

Status EventIntake::enter(const Change& change) const {
  const auto& [event, record] = change;
  // What the removal of an old version, or new tags, say of the object as a whole is nothing.
  if (event.type == Type::kDeleteVersion || (event.type == Type::kTags && event.size == 0)) return Status::ok();
  const std::string path = record.id.path();
  // Of an object without versions nothing is left; a delete marker is the object's newest version.
  if (event.removed && !record.is_versioned()) return index_.remove(path);
  return index_.put(path, {record.size, record.mtime_ns, version_fingerprint(event.version_id, event.etag), record.version});
}

std::uint64_t EventIntake::next_version() {
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(host_.now().time_since_epoch()).count();
  std::uint64_t last = last_version_.load();
  std::uint64_t next = 0;
  do {
    next = std::max(last + 1, static_cast<std::uint64_t>(now_us));
  } while (!last_version_.compare_exchange_weak(last, next));
  return next;
}

}  // namespace fermata::crr
