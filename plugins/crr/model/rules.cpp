#include "model/rules.hpp"

#include <algorithm>
#include <utility>

namespace fermata::crr {
namespace {

bool covers(const Rule& rule, const ObjectId& id) {
  return (rule.bucket.empty() || rule.bucket == id.bucket) && id.key.starts_with(rule.prefix);
}

bool leads_to(const Rule& rule, std::string_view location) {
  return rule.locations.empty() || std::find(rule.locations.begin(), rule.locations.end(), location) != rule.locations.end();
}

bool has_all(const Tags& tags, const Tags& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&tags](const auto& tag) {
    const auto found = tags.find(tag.first);
    return found != tags.end() && found->second == tag.second;
  });
}

}  // namespace

Rules::Rules(std::vector<Rule> rules, std::vector<std::string> locations)
    : rules_(rules.empty() ? std::vector<Rule>(1) : std::move(rules)), locations_(std::move(locations)) {}

const Rule* Rules::first(const ObjectId& id, std::string_view location) const {
  const auto found =
      std::find_if(rules_.begin(), rules_.end(), [&](const auto& rule) { return covers(rule, id) && leads_to(rule, location); });
  return found == rules_.end() ? nullptr : &*found;
}

std::vector<std::string> Rules::destinations(const ObjectId& id) const {
  std::vector<std::string> names;
  for (const auto& location : locations_)
    if (first(id, location) != nullptr) names.push_back(location);
  return names;
}

bool Rules::matches(const ObjectId& id, std::string_view location, const Tags& tags) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const auto& rule) { return covers(rule, id) && leads_to(rule, location) && has_all(tags, rule.tags); });
}

bool Rules::delete_markers(const ObjectId& id, std::string_view location) const {
  const auto* rule = first(id, location);
  return rule != nullptr && rule->delete_markers;
}

bool Rules::version_deletes(const ObjectId& id, std::string_view location) const {
  const auto* rule = first(id, location);
  return rule != nullptr && rule->version_deletes;
}

std::vector<std::string> Rules::buckets() const {
  std::vector<std::string> names;
  for (const auto& rule : rules_) {
    if (rule.bucket.empty()) return {};
    if (std::find(names.begin(), names.end(), rule.bucket) == names.end()) names.push_back(rule.bucket);
  }
  return names;
}

}  // namespace fermata::crr
