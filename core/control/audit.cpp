#include "control/audit.hpp"

#include "base/time_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>

namespace fermata::control {
namespace {

namespace json = boost::json;

constexpr std::string_view kSpace = "host/audit";
constexpr std::size_t kMaxPage = 1'000;

std::string format_entry(const AuditEntry& entry) {
  json::object object{{"at", format_iso(entry.at)}, {"node", entry.node},     {"by", entry.by},        {"service", entry.service},
                      {"location", entry.location}, {"action", entry.action}, {"reason", entry.reason}};
  if (entry.scheduled_resume) object["scheduledResume"] = format_iso(*entry.scheduled_resume);
  return json::serialize(object);
}

AuditEntry parse_entry(std::string_view data) {
  json::error_code error;
  const json::value value = json::parse(data, error);
  const auto text = [&](std::string_view key) {
    const auto* member = !error && value.is_object() ? value.as_object().if_contains(key) : nullptr;
    return member != nullptr && member->is_string() ? std::string(member->as_string()) : std::string();
  };
  return {parse_rfc3339(text("at")).value_or(WallTime()),
          text("node"),
          text("by"),
          text("service"),
          text("location"),
          text("action"),
          text("reason"),
          parse_rfc3339(text("scheduledResume"))};
}

}  // namespace

AuditTrail::AuditTrail(KeyValueStore& kv, const Clock& clock, telemetry::Log& log, Turns turns, std::string node, std::size_t limit)
    : kv_(kv), clock_(clock), log_(log), turns_(std::move(turns)), node_(std::move(node)), limit_(limit) {}

void AuditTrail::record(AuditEntry entry) {
  entry.at = clock_.now();
  entry.node = node_;
  if (const Status kept = kv_.put(kSpace, next_id(), format_entry(entry)); !kept)
    log_.warn("control", "a change is missing in the audit trail", {{"error", kept.message()}, {"action", entry.action}});
  if (until_trim_ == 0) {
    until_trim_ = std::max<std::size_t>(1, limit_ / 10);
    turns_.post([this] { trim(0, {}); });
  }
  --until_trim_;
}

// The newer, the smaller: the store lists in ascending order.
std::string AuditTrail::next_id() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now().time_since_epoch()).count();
  last_us_ = std::max<std::int64_t>(now, last_us_ + 1);
  return fmt::format("{:019}-{}", std::numeric_limits<std::int64_t>::max() - last_us_, node_);
}

Result<std::vector<AuditTrail::Entry>> AuditTrail::page(std::string_view before_id, std::size_t limit) {
  auto found = kv_.scan(kSpace, {}, before_id, std::min(limit, kMaxPage));
  if (!found) return found.status();
  std::vector<Entry> entries;
  entries.reserve(found->size());
  for (auto& [id, data] : *found) entries.emplace_back(std::move(id), parse_entry(data));
  return entries;
}

// Now and then, so that the trail overshoots its limit by a tenth in between; and each page in a turn of its own, so that
// nobody waits for all of them.
void AuditTrail::trim(std::size_t kept, const std::string& after) {
  const auto found = kv_.scan(kSpace, {}, after, kMaxPage);
  if (!found || found->empty()) return;
  for (const auto& [id, data] : *found)
    if (++kept > limit_ && !kv_.remove(kSpace, id)) return;
  turns_.post([this, kept, last = found->back().first] { trim(kept, last); });
}

}  // namespace fermata::control
