#include "rest/query.hpp"

#include "base/percent.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <charconv>

namespace fermata::rest {
namespace {

/// Takes the next "name=value" off the front of `raw`.
std::pair<std::string_view, std::string_view> take_pair(std::string_view& raw) {
  const std::size_t end = std::min(raw.find('&'), raw.size());
  const std::string_view pair = raw.substr(0, end);
  raw.remove_prefix(std::min(end + 1, raw.size()));
  const std::size_t equals = std::min(pair.find('='), pair.size());
  return {pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))};
}

Status invalid(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

}  // namespace

Result<Query> Query::parse(std::string_view raw, std::initializer_list<std::string_view> allowed) {
  Query query;
  while (!raw.empty()) {
    const auto [name, value] = take_pair(raw);
    if (name.empty() && value.empty()) continue;
    const auto decoded = percent_decode(value);
    if (!decoded) return invalid("parameter '" + std::string(name) + "' has a malformed %-escape");
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      std::string message = "parameter '" + std::string(name) + "' is unknown; allowed:";
      for (const auto one : allowed) message.append(" '").append(one).append("'");
      return invalid(allowed.size() == 0 ? "parameter '" + std::string(name) + "' is unknown; none is allowed here" : message);
    }
    if (!query.values_.emplace(name, *decoded).second) return invalid("parameter '" + std::string(name) + "' is given twice");
  }
  return query;
}

std::string Query::text(std::string_view name) const {
  const auto value = values_.find(name);
  return value == values_.end() ? std::string() : value->second;
}

Result<std::size_t> Query::limit(std::size_t fallback, std::size_t max) const {
  const auto value = values_.find("limit");
  if (value == values_.end()) return fallback;
  const std::string& text = value->second;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > max)
    return invalid("parameter 'limit' must be a number from 1 to " + std::to_string(max));
  return limit;
}

Result<std::optional<std::chrono::milliseconds>> Query::wait() const {
  const auto value = values_.find("wait");
  if (value == values_.end()) return std::optional<std::chrono::milliseconds>();
  const auto wait = parse_duration(value->second);
  if (!wait || *wait > kMaxWait) return invalid("parameter 'wait' must be a duration such as \"30s\", at most \"10m\"");
  return std::optional(*wait);
}

std::chrono::milliseconds wait_allowance(std::string_view raw) {
  while (!raw.empty()) {
    const auto [name, value] = take_pair(raw);
    if (name != "wait") continue;
    const auto wait = parse_duration(value);
    return wait && *wait <= kMaxWait ? *wait : std::chrono::milliseconds(0);
  }
  return std::chrono::milliseconds(0);
}

}  // namespace fermata::rest
