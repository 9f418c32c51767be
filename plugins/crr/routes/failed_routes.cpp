#include "routes/failed_routes.hpp"

#include "text/problem.hpp"
#include "text/query.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <limits>
#include <memory>
#include <utility>

namespace fermata::crr {
namespace {

namespace json = boost::json;

constexpr std::size_t kPage = 100;
constexpr std::size_t kMaxRetried = 1'000;
constexpr std::uint32_t kStorePage = 1'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

std::string version_of(const ReplicationRecord& record) {
  return record.version_id.empty() ? std::to_string(record.version) : record.version_id;
}

std::string text_or_empty(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

json::object entry_of(const std::string& location, const ReplicationRecord& record) {
  return {{"Bucket", record.id.bucket},
          {"Key", record.id.key},
          {"VersionId", version_of(record)},
          {"StorageClass", location},
          {"Size", record.size}};
}

/// What a POST asks to be retried. kInvalidArgument, saying what it must be.
Result<std::vector<FailedRoutes::Wanted>> parse_list(std::string_view body) {
  const Status refused(Code::kInvalidArgument, "the body must be a list of 1 to " + std::to_string(kMaxRetried) +
                                                   R"( objects {"Bucket","Key","VersionId","StorageClass"}, the last a location)");
  std::vector<FailedRoutes::Wanted> list;
  try {
    const auto value = json::parse(body);
    for (const auto& item : value.as_array()) {
      const auto& fields = item.as_object();
      FailedRoutes::Wanted wanted{text_or_empty(fields, "StorageClass"),
                                  ObjectId{text_or_empty(fields, "Bucket"), text_or_empty(fields, "Key")},
                                  text_or_empty(fields, "VersionId")};
      if (wanted.location.empty() || wanted.id->bucket.empty() || wanted.id->key.empty()) return refused;
      list.push_back(std::move(wanted));
    }
  } catch (const std::exception&) {
    return refused;
  }
  if (list.empty() || list.size() > kMaxRetried) return refused;
  return list;
}

}  // namespace

bool FailedRoutes::Wanted::matches(const Failed& failed) const {
  return (location.empty() || failed.location == location) && (!id || failed.record.id == *id) &&
         (version_id.empty() || version_of(failed.record) == version_id);
}

FailedRoutes::FailedRoutes(sdk::Host& host, std::vector<std::string> locations)
    : host_(host), locations_(std::move(locations)), states_(host) {}

Status FailedRoutes::add() {
  // The store may block: answers are made by a task, not in the handler.
  const auto add = [this](std::string_view method, std::string_view pattern, auto make) {
    return host_.add_route(method, pattern, [this, make](const sdk::HttpRequest& request, sdk::Exchange exchange) {
      host_.post([make, rest = std::string(request.rest), query = std::string(request.query), body = std::string(request.body),
                  open = std::make_shared<sdk::Exchange>(std::move(exchange))] {
        const Answer answer = make(rest, query, body);
        open->respond(answer.status, answer.status < 400 ? "application/json" : "application/problem+json", answer.body);
      });
    });
  };
  using Text = const std::string&;
  if (auto status = add("GET", "failed", [this](Text, Text query, Text) { return list(query); }); !status) return status;
  if (auto status = add("GET", "failed/*", [this](Text rest, Text query, Text) { return show(rest, query); }); !status) return status;
  if (auto status = add("POST", "failed", [this](Text, Text, Text body) { return retry_list(body); }); !status) return status;
  return add("POST", "retry/*", [this](Text rest, Text, Text) { return retry_object(rest); });
}

bool FailedRoutes::is_location(std::string_view name) const {
  return std::find(locations_.begin(), locations_.end(), name) != locations_.end();
}

Result<std::vector<FailedRoutes::Failed>> FailedRoutes::find(const Wanted& wanted) const {
  std::vector<Failed> found;
  for (const auto& location : locations_) {
    if (!wanted.location.empty() && location != wanted.location) continue;
    std::string after;
    for (std::size_t looked_at = 0; looked_at < kMaxRecords; looked_at += kStorePage) {
      auto page = host_.failed(location, after, kStorePage);
      if (!page) return page.status();
      for (auto& stored : *page) {
        after = stored.id;
        auto record = parse_record(stored.value);
        if (!record) continue;  // not one of ours: the host's own routes show it
        Failed failed{location, std::move(stored.id), std::move(*record), std::move(stored.reason), stored.attempts, stored.failed_at_ms};
        if (wanted.matches(failed)) found.push_back(std::move(failed));
      }
      if (page->size() < kStorePage) break;
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.failed_at_ms > b.failed_at_ms; });
  return found;
}

FailedRoutes::Answer FailedRoutes::list(std::string_view raw_query) const {
  const auto query = text::parse_query(raw_query, {"sitename", "marker"});
  if (!query) return {400, text::problem_body(400, query.status().message())};
  Wanted wanted;
  std::int64_t before_ms = std::numeric_limits<std::int64_t>::max();
  if (const auto site = query->find("sitename"); site != query->end()) wanted.location = site->second;
  if (!wanted.location.empty() && !is_location(wanted.location))
    return {404, text::problem_body(404, "sitename: there is no location '" + wanted.location + "'")};
  if (const auto marker = query->find("marker"); marker != query->end()) {
    const std::string& text = marker->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), before_ms);
    if (error != std::errc() || end != text.data() + text.size())
      return {400, text::problem_body(400, "marker: must be the NextMarker of an earlier answer")};
  }
  const auto found = find(wanted);
  if (!found) return {503, text::problem_body(503, found.status().message())};
  json::array versions;
  json::object body;
  bool truncated = false;
  std::int64_t last_ms = 0;
  for (const auto& failed : *found) {
    if (failed.failed_at_ms >= before_ms) continue;
    // A page ends between two times, as the marker is one: those of one millisecond stay together.
    if (versions.size() >= kPage && failed.failed_at_ms != last_ms) {
      truncated = true;
      break;
    }
    last_ms = failed.failed_at_ms;
    json::object entry = entry_of(failed.location, failed.record);
    entry["LastModified"] = text::format_iso_ns(failed.record.mtime_ns);
    entry["FailedAt"] = text::format_iso_ns(failed.failed_at_ms * kNsPerMs);
    entry["Attempts"] = failed.attempts;
    entry["Reason"] = text::printable(failed.reason);
    versions.push_back(std::move(entry));
  }
  body["IsTruncated"] = truncated;
  if (truncated) body["NextMarker"] = last_ms;
  body["Versions"] = std::move(versions);
  return {200, json::serialize(body)};
}

FailedRoutes::Answer FailedRoutes::show(std::string_view path, std::string_view raw_query) const {
  const auto query = text::parse_query(raw_query, {"versionId"});
  if (!query) return {400, text::problem_body(400, query.status().message())};
  auto id = parse_object_path(path);
  if (!id) return {400, text::problem_body(400, id.status().message())};
  Wanted wanted;
  wanted.id = std::move(*id);
  if (const auto version = query->find("versionId"); version != query->end()) wanted.version_id = version->second;
  const auto found = find(wanted);
  if (!found) return {503, text::problem_body(503, found.status().message())};
  json::array versions;
  for (const auto& failed : *found) {
    json::object entry = entry_of(failed.location, failed.record);
    entry["LastModified"] = text::format_iso_ns(failed.record.mtime_ns);
    entry["FailedAt"] = text::format_iso_ns(failed.failed_at_ms * kNsPerMs);
    entry["Attempts"] = failed.attempts;
    entry["Reason"] = text::printable(failed.reason);
    versions.push_back(std::move(entry));
  }
  return {200, json::serialize(json::object{{"IsTruncated", false}, {"Versions", std::move(versions)}})};
}

Status FailedRoutes::retry(const Failed& failed) const {
  auto state = states_.get(failed.record.id, failed.location);
  if (!state) return state.status();
  if (!*state || (*state)->failed_id != failed.id) return host_.retry_failed(failed.location, failed.id);
  // The state first: once the record is in the queue, what becomes of it may be written at any time.
  ObjectState pending = **state;
  pending.status = ObjectState::Status::kPending;
  pending.failed_id.clear();
  pending.failed_version.clear();
  if (auto status = states_.put(failed.record.id, failed.location, pending); !status) return status;
  const auto retried = host_.retry_failed(failed.location, failed.id);
  if (!retried) (void)states_.put(failed.record.id, failed.location, **state);  // should it fail as well, it shows as waiting
  return retried;
}

FailedRoutes::Answer FailedRoutes::retry_list(std::string_view body) const {
  const auto list = parse_list(body);
  if (!list) return {400, text::problem_body(400, list.status().message())};
  const auto found = find({});
  if (!found) return {503, text::problem_body(503, found.status().message())};
  json::array retried;
  for (const auto& failed : *found) {
    if (std::none_of(list->begin(), list->end(), [&failed](const Wanted& wanted) { return wanted.matches(failed); })) continue;
    const auto status = retry(failed);
    if (status.code() == Code::kNotFound) continue;  // somebody else did
    if (!status) return {503, text::problem_body(503, status.message())};
    json::object entry = entry_of(failed.location, failed.record);
    entry["ReplicationStatus"] = "PENDING";
    retried.push_back(std::move(entry));
  }
  return {200, json::serialize(retried)};
}

FailedRoutes::Answer FailedRoutes::retry_object(std::string_view path) const {
  auto id = parse_object_path(path);
  if (!id) return {400, text::problem_body(400, id.status().message())};
  Wanted wanted;
  wanted.id = std::move(*id);
  const auto found = find(wanted);
  if (!found) return {503, text::problem_body(503, found.status().message())};
  if (found->empty()) return {404, text::problem_body(404, "nothing of " + std::string(path) + " failed")};
  std::size_t retried = 0;
  for (const auto& failed : *found) {
    const auto status = retry(failed);
    if (!status && status.code() != Code::kNotFound) return {503, text::problem_body(503, status.message())};
    retried += status ? 1 : 0;
  }
  return {200, json::serialize(json::object{{"retried", retried}})};
}

}  // namespace fermata::crr
