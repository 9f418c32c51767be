#include "journal/s3_event.hpp"

#include "s3/encode.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <exception>
#include <optional>
#include <utility>

namespace fermata::crr {
namespace {

namespace json = boost::json;
using Type = ReplicationRecord::Type;

constexpr std::string_view kUserPrefix = "x-amz-meta-";

/// What VersityGW has in the place of the name that others let their users choose.
constexpr std::string_view kVersityIds[] = {"kafka-global", "nats-global", "webhook-global", "rabbitmq-global"};

Status invalid(const std::string& what) { return {Code::kInvalidArgument, "not a bucket notification: " + what}; }

std::string_view text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

const json::object* object_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

std::string in_lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What the event says of the object; nullopt: nothing that is replicated.
std::optional<Type> type_of(std::string_view name) {
  if (name.starts_with("s3:")) name.remove_prefix(3);
  if (name.starts_with("ObjectTagging:") || is_one_of(name, {"ObjectCreated:PutTagging", "ObjectCreated:DeleteTagging"}))
    return Type::kTags;
  if (is_one_of(name, {"ObjectCreated:PutRetention", "ObjectCreated:PutLegalHold", "ObjectRemoved:NoOP"})) return std::nullopt;
  if (name.starts_with("ObjectCreated:")) return Type::kPut;
  if (name == "ObjectRemoved:DeleteMarkerCreated") return Type::kDelete;
  if (is_one_of(name, {"ObjectRemoved:Delete", "ObjectRemoved:DeleteObjects"})) return Type::kDeleteVersion;
  if (name.starts_with("ObjectRemoved:")) return Type::kSync;  // e.g. MinIO's DeleteAllVersions
  return std::nullopt;
}

/// Ceph writes numbers as text.
std::uint64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return 0;
  std::uint64_t number = 0;
  if (const auto* text = value->if_string()) {
    std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
  }
  boost::system::error_code failed;
  number = value->to_number<std::uint64_t>(failed);
  return failed ? 0 : number;
}

/// Reads "2026-11-22T08:35:12[.830]Z", or with an offset such as +02:00 in the place of Z.
void read_time(std::string_view text, S3Event& event) {
  const std::string copy(text);
  std::tm parts{};
  int read = 0;
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
                  &parts.tm_sec, &read) != 6)
    return;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  std::int64_t time_ms = static_cast<std::int64_t>(::timegm(&parts)) * 1'000;
  std::string_view rest = std::string_view(copy).substr(static_cast<std::size_t>(read));
  event.time_span_ms = rest.starts_with('.') ? 1 : 1'000;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const std::string_view digits = rest.substr(0, std::min(rest.find_first_not_of("0123456789"), rest.size()));
    std::int64_t unit_ms = 100;
    for (const char digit : digits.substr(0, 3)) {
      time_ms += (digit - '0') * unit_ms;
      unit_ms /= 10;
    }
    rest.remove_prefix(digits.size());
  }
  int hours = 0;
  int minutes = 0;
  if ((rest.starts_with('+') || rest.starts_with('-')) && std::sscanf(rest.data() + 1, "%2d:%2d", &hours, &minutes) == 2)
    time_ms -= (rest.front() == '-' ? -1 : 1) * (hours * 60 + minutes) * std::int64_t{60'000};
  event.time_ms = std::max<std::int64_t>(time_ms, 0);
}

bool marks_replica(std::string_view name, const json::value& value) {
  const std::string lower = in_lower_case(name);
  return lower == std::string(kUserPrefix) + std::string(kReplicaMark) && value.is_string() &&
         std::string_view(value.get_string()) == kReplicaStatus;
}

/// MinIO tells user metadata as an object, Ceph as a list of {"key", "val"}.
bool is_replica(const json::object& object) {
  if (const auto* metadata = object_of(object, "userMetadata"))
    return std::any_of(metadata->begin(), metadata->end(),
                       [](const auto& entry) { return marks_replica(std::string_view(entry.key()), entry.value()); });
  const auto* list = object.if_contains("metadata");
  if (list == nullptr || !list->is_array()) return false;
  return std::any_of(list->get_array().begin(), list->get_array().end(), [](const json::value& entry) {
    return entry.is_object() && entry.get_object().contains("val") &&
           marks_replica(text_of(entry.get_object(), "key"), entry.get_object().at("val"));
  });
}

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"')) etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

/// VersityGW: keys are told as they are, versions only of copies and multipart uploads.
void correct_for_versity(S3Event& event, std::string_view raw_key) {
  event.id.key = raw_key;
  if (event.version_id.empty() && event.type != Type::kTags) event.type = Type::kSync;
}

Result<S3Event> read_event(const json::object& record, Type type) {
  const auto* s3 = object_of(record, "s3");
  const auto* bucket = s3 == nullptr ? nullptr : object_of(*s3, "bucket");
  const auto* object = s3 == nullptr ? nullptr : object_of(*s3, "object");
  S3Event event;
  event.type = type;
  event.removed = type == Type::kDelete || type == Type::kDeleteVersion || type == Type::kSync;
  if (bucket != nullptr) event.id.bucket = text_of(*bucket, "name");
  if (event.id.bucket.empty()) return invalid("s3.bucket.name is missing in a record");
  const std::string_view key = object == nullptr ? std::string_view() : text_of(*object, "key");
  if (key.empty()) return invalid("s3.object.key is missing in a record");
  event.version_id = text_of(*object, "versionId");
  if (type == Type::kDeleteVersion && (event.version_id.empty() || event.version_id == "null")) event.type = Type::kDelete;
  event.etag = unquoted(text_of(*object, "eTag"));
  event.size = number_of(*object, "size");
  read_time(text_of(record, "eventTime"), event);
  const std::string_view configuration = text_of(*s3, "configurationId");
  if (std::find(std::begin(kVersityIds), std::end(kVersityIds), configuration) != std::end(kVersityIds)) {
    correct_for_versity(event, key);
    return event;
  }
  auto decoded = s3::url_decode(key);
  if (!decoded) return invalid("s3.object.key '" + std::string(key) + "' is not percent-encoded as it should be");
  event.id.key = std::move(*decoded);
  return event;
}

/// Adds what the record tells to `out`. @return whether an event came of it.
Result<bool> read_record(const json::value& value, S3Notification& out) {
  if (!value.is_object()) return invalid("Records holds something that is no object");
  const auto& record = value.get_object();
  const std::string_view name = text_of(record, "eventName");
  if (name.empty()) return invalid("eventName is missing in a record");
  const auto type = type_of(name);
  if (!type) {
    ++out.ignored;
    return false;
  }
  auto event = read_event(record, *type);
  if (!event) return event.status();
  if (is_replica(value.at("s3").at("object").as_object())) {
    ++out.replicas;
    return false;
  }
  out.events.push_back(std::move(*event));
  return true;
}

}  // namespace

Result<S3Notification> parse_s3_notification(std::string_view text) {
  try {
    const auto message = json::parse(text);
    if (!message.is_object()) return invalid("it is no JSON object");
    S3Notification out;
    const auto* records = message.get_object().if_contains("Records");
    if (records == nullptr && message.get_object().contains("Event")) {  // {"Event":"s3:TestEvent",...}
      ++out.ignored;
      return out;
    }
    if (records == nullptr || !records->is_array()) return invalid("it has no list Records");
    for (const auto& record : records->get_array())
      if (const auto read = read_record(record, out); !read) return read.status();
    return out;
  } catch (const boost::system::system_error& error) {
    return invalid(error.code().message());
  } catch (const std::exception& error) {
    return invalid(error.what());
  }
}

std::string version_fingerprint(std::string_view version_id, std::string_view etag) {
  return std::string(version_id == "null" ? std::string_view() : version_id) + "/" + std::string(etag);
}

}  // namespace fermata::crr
