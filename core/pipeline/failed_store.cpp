#include "pipeline/failed_store.hpp"

#include "base/percent.hpp"
#include "base/time_format.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include <algorithm>
#include <utility>

namespace fermata::pipeline {
namespace {

namespace json = boost::json;

// One entry of a KeyValueStore holds 256 KiB.
constexpr std::size_t kPartBytes = 250u << 10;
// Records are at most 1 MiB, so this is plenty.
constexpr std::size_t kMaxParts = 64;
// Entries read at a time to count them: at most 25 MiB.
constexpr std::size_t kCountPage = 100;
constexpr char kAfterSlash = '/' + 1;

// A line of JSON, then the record's key and value as they are, since both may be any bytes.
std::string encode(const FailedRecord& record) {
  const json::object header = {
      {"topic", record.topic},
      {"processor", record.processor},
      {"reason", record.reason},
      {"attempts", record.attempts},
      {"key_size", record.key.size()},
      {"failed_at_ms", to_unix_ms(record.failed_at)},
      {"bytes", record.key.size() + record.value.size()},
  };
  std::string text = json::serialize(header);
  text.reserve(text.size() + 1 + record.key.size() + record.value.size());
  return text.append("\n").append(record.key).append(record.value);
}

struct Header {
  FailedRecord record;
  std::size_t key_size = 0;
  std::size_t bytes = 0;       // of key and value
  std::size_t body_begin = 0;  // where the key begins
};

Header decode_header(const std::string& text) {
  Header header;
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // reasons come from plugins
  const std::size_t end = text.find('\n');
  const json::value value = json::parse(std::string_view(text).substr(0, end), {}, options);
  const json::object& fields = value.as_object();
  header.record.topic = json::value_to<std::string>(fields.at("topic"));
  header.record.processor = json::value_to<std::string>(fields.at("processor"));
  header.record.reason = json::value_to<std::string>(fields.at("reason"));
  header.record.attempts = fields.at("attempts").to_number<std::uint32_t>();
  header.record.failed_at = from_unix_ms(fields.at("failed_at_ms").to_number<std::int64_t>());
  header.key_size = fields.at("key_size").to_number<std::size_t>();
  header.bytes = fields.at("bytes").to_number<std::size_t>();
  header.body_begin = end + 1;
  return header;
}

}  // namespace

FailedStore::FailedStore(std::string_view service, KeyValueStore& kv)
    : space_(fmt::format("{}/failed", service)), parts_space_(fmt::format("{}/failed-parts", service)), kv_(kv) {}

std::string FailedStore::make_id(std::string_view topic, std::int32_t partition, std::int64_t offset) {
  return fmt::format("{}/{:05}/{:019}", topic, partition, offset);
}

std::string FailedStore::make_key(std::string_view location, std::string_view id) {
  return fmt::format("{}/{}", percent_encode(location), id);
}

std::string FailedStore::part_prefix(std::string_view key) { return fmt::format("{}/", key); }

Result<bool> FailedStore::count_page() {
  if (counted_to_.empty()) {
    const std::lock_guard lock(mutex_);
    found_.clear();
  }
  const auto entries = kv_.scan(space_, {}, counted_to_, kCountPage);
  if (!entries) return entries.status();
  for (const auto& [key, text] : *entries) {
    const auto slash = std::min(key.find('/'), key.size() - 1);
    counted_to_ = key;
    const std::string encoded = key.substr(0, slash);
    if (learn(percent_decode(encoded).value_or(encoded), std::string_view(key).substr(slash + 1))) continue;
    counted_to_ = encoded + kAfterSlash;  // enough of this location
    return true;
  }
  if (entries->size() == kCountPage) return true;
  counted_to_.clear();
  const std::lock_guard lock(mutex_);
  known_ = std::exchange(found_, {});
  return false;
}

std::int64_t FailedStore::count(std::string_view location) const {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(location);
  return known == known_.end() ? 0 : static_cast<std::int64_t>(known->second.size());
}

bool FailedStore::add(Known& known, std::string_view location, std::string_view id) {
  auto ids = known.find(location);
  if (ids == known.end()) ids = known.try_emplace(std::string(location)).first;
  if (ids->second.size() >= kMaxCounted) return false;
  ids->second.insert(std::hash<std::string_view>{}(id));
  return true;
}

// False: no more of this location are counted.
bool FailedStore::learn(std::string_view location, std::string_view id) {
  const std::lock_guard lock(mutex_);
  add(known_, location, id);
  return add(found_, location, id);
}

void FailedStore::forget(std::string_view location, std::string_view id) {
  const std::lock_guard lock(mutex_);
  for (auto* known : {&known_, &found_})
    if (const auto ids = known->find(location); ids != known->end()) ids->second.erase(std::hash<std::string_view>{}(id));
}

Status FailedStore::put(std::string_view location, const FailedRecord& record) {
  const std::string key = make_key(location, record.id);
  const std::string text = encode(record);
  // The parts first: an entry that is there is whole.
  for (std::size_t begin = kPartBytes, part = 1; begin < text.size(); begin += kPartBytes, ++part) {
    const auto piece = std::string_view(text).substr(begin, kPartBytes);
    if (auto status = kv_.put(parts_space_, part_prefix(key) + fmt::format("{:04}", part), piece); !status) return status;
  }
  Status stored = kv_.put(space_, key, std::string_view(text).substr(0, kPartBytes));
  if (stored) learn(location, record.id);
  return stored;
}

Result<FailedRecord> FailedStore::read(std::string_view id, std::string_view key, std::string first) try {
  Header header = decode_header(first);
  if (first.size() < header.body_begin + header.bytes) {
    auto parts = kv_.scan(parts_space_, part_prefix(key), {}, kMaxParts);
    if (!parts) return parts.status();
    for (const auto& [name, piece] : *parts) first += piece;
  }
  if (first.size() < header.body_begin + header.bytes || header.key_size > header.bytes)
    return Status(Code::kDataLoss, fmt::format("failed record {} is cut short", id));
  header.record.id = id;
  header.record.key = first.substr(header.body_begin, header.key_size);
  header.record.value = first.substr(header.body_begin + header.key_size, header.bytes - header.key_size);
  return std::move(header.record);
} catch (const std::exception& error) {
  return Status(Code::kDataLoss, fmt::format("failed record {} cannot be read: {}", id, error.what()));
}

Result<std::optional<FailedRecord>> FailedStore::get(std::string_view location, std::string_view id) {
  const std::string key = make_key(location, id);
  auto entry = kv_.get(space_, key);
  if (!entry) return entry.status();
  if (!entry->has_value()) return std::optional<FailedRecord>();
  auto record = read(id, key, std::move(**entry));
  if (record) return std::optional(std::move(*record));
  // Another node may have removed it while its parts were read.
  if (entry = kv_.get(space_, key); entry && !entry->has_value()) return std::optional<FailedRecord>();
  return record.status();
}

Result<std::vector<FailedRecord>> FailedStore::list(std::string_view location, std::string_view after_id, std::size_t limit) {
  const std::string prefix = make_key(location, {});
  auto entries = kv_.scan(space_, prefix, after_id.empty() ? std::string() : make_key(location, after_id), limit);
  if (!entries) return entries.status();
  std::vector<FailedRecord> records;
  records.reserve(entries->size());
  for (auto& [key, text] : *entries) {
    auto record = read(std::string_view(key).substr(prefix.size()), key, std::move(text));
    if (record) {
      records.push_back(std::move(*record));
      continue;
    }
    if (record.status().code() != Code::kDataLoss) return record.status();
    FailedRecord unreadable;
    unreadable.id = key.substr(prefix.size());
    unreadable.reason = record.status().message();
    records.push_back(std::move(unreadable));
  }
  return records;
}

Status FailedStore::remove(std::string_view location, std::string_view id) {
  const std::string key = make_key(location, id);
  auto entry = kv_.get(space_, key);
  if (!entry) return entry.status();
  if (!entry->has_value()) return Status::ok();
  if (auto status = kv_.remove(space_, key); !status) return status;
  forget(location, id);
  if ((*entry)->size() < kPartBytes) return Status::ok();
  auto parts = kv_.scan(parts_space_, part_prefix(key), {}, kMaxParts);
  if (!parts) return parts.status();
  for (const auto& [name, piece] : *parts)
    if (auto status = kv_.remove(parts_space_, name); !status) return status;
  return Status::ok();
}

}  // namespace fermata::pipeline
