#include "journal/journal_index.hpp"

#include <boost/json.hpp>

#include <exception>

namespace fermata::crr {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "journal/";

std::string key_of(const std::string& path) { return std::string(kPrefix) + path; }

std::string format(const JournaledObject& object) {
  return json::serialize(json::object{{"size", object.size},
                                      {"mtimeNs", object.mtime_ns},
                                      {"fingerprint", object.fingerprint},
                                      {"version", object.version},
                                      {"locations", object.locations}});
}

/// An entry that cannot be read counts as another state than the file's, so that the object is journaled again.
JournaledObject parse(std::string_view text) {
  try {
    const auto value = json::parse(text);
    const auto& fields = value.as_object();
    const auto* locations = fields.if_contains("locations");  // older entries have none
    return {fields.at("size").to_number<std::uint64_t>(), fields.at("mtimeNs").to_number<std::int64_t>(),
            std::string(fields.at("fingerprint").as_string()), fields.at("version").to_number<std::uint64_t>(),
            locations == nullptr ? std::string() : std::string(locations->as_string())};
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

Status JournalIndex::put(const std::string& path, const JournaledObject& object) const {
  return host_.kv_put(key_of(path), format(object));
}

Status JournalIndex::remove(const std::string& path) const { return host_.kv_remove(key_of(path)); }

Result<std::optional<JournaledObject>> JournalIndex::get(const std::string& path) const {
  const auto value = host_.kv_get(key_of(path));
  if (!value) return value.status();
  if (!*value) return std::optional<JournaledObject>();
  return std::optional(parse(**value));
}

Result<std::vector<JournalIndex::Entry>> JournalIndex::scan(const std::string& prefix, const std::string& after,
                                                            std::uint32_t limit) const {
  const auto found = host_.kv_scan(key_of(prefix), after.empty() ? std::string() : key_of(after), limit);
  if (!found) return found.status();
  std::vector<Entry> entries;
  for (const auto& [key, value] : *found) entries.emplace_back(key.substr(kPrefix.size()), parse(value));
  return entries;
}

}  // namespace fermata::crr
