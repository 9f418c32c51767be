#include "config/section_reader.hpp"

#include "base/units.hpp"
#include "config/expand.hpp"
#include "config/suggest.hpp"

#include <charconv>
#include <optional>
#include <set>

namespace fermata::config {
namespace {

using Kind = Setting::Kind;

constexpr std::size_t kMaxListItems = 1'024;

/// What stands in the file, for messages: never what a ${..} was replaced by.
std::string shown(const YamlNode& node) {
  constexpr std::size_t kLongest = 60;
  if (!node.is_scalar()) return std::string(describe(node));
  return "'" + (node.text.size() > kLongest ? node.text.substr(0, kLongest) + "..." : node.text) + "'";
}

/// A reference may need its quotes: within {..} YAML wants them.
bool is_quoted_literal(const YamlNode& node) { return node.kind == YamlNode::Kind::kQuoted && node.text.find("${") == std::string::npos; }

std::string_view quotes_hint(Kind kind, const YamlNode& node) {
  return (kind == Kind::kBool || kind == Kind::kInteger) && is_quoted_literal(node) ? "; write it without quotes" : "";
}

std::string_view unit_hint(Kind kind) {
  if (kind == Kind::kDuration) return "; write it with a unit: 500ms, 30s, 5m, 6h, 7d";
  if (kind == Kind::kSize) return "; write it as plain bytes or with a unit: 64KiB, 16MiB, 1GiB";
  return "";
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kBool: return "true or false";
    case Kind::kInteger: return "a whole number";
    case Kind::kSize: return "a size";
    case Kind::kDuration: return "a duration";
    case Kind::kString: return "a string";
    case Kind::kChoice: return "one of the allowed words";
    case Kind::kStringMap: return "a map of names and values";
    case Kind::kStringList: break;
  }
  return "a list of strings";
}

std::optional<std::int64_t> parse_number(Kind kind, const std::string& text) {
  if (kind == Kind::kDuration) {
    const auto duration = parse_duration(text);
    return duration ? std::optional<std::int64_t>(duration->count()) : std::nullopt;
  }
  if (kind == Kind::kSize) {
    const auto size = parse_size(text);
    return size ? std::optional(static_cast<std::int64_t>(*size)) : std::nullopt;
  }
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Reads one setting; each function says on its own what is wrong.
class SettingReader {
 public:
  SettingReader(const Setting& setting, const Place& place, Report& report) : setting_(setting), place_(place), report_(report) {}

  void read(const YamlNode& node) {
    if (setting_.kind == Kind::kStringList) return read_list(node);
    if (setting_.kind == Kind::kStringMap) return read_map(node);
    if (!node.is_scalar()) return refuse_type(node);
    const auto text = expanded(node, place_);
    if (!text) return;
    switch (setting_.kind) {
      case Kind::kBool: return read_bool(node, *text);
      case Kind::kInteger:
      case Kind::kSize:
      case Kind::kDuration: return read_number(node, *text);
      case Kind::kChoice: return read_choice(node, *text);
      case Kind::kString:
      case Kind::kStringList:
      case Kind::kStringMap: break;
    }
    if (accept(node, *text, place_)) setting_.store(*text);
  }

 private:
  void refuse(const YamlNode& node, const Place& place, const std::string& what) {
    report_.problem(node.line, place, what + "; allowed: " + allowed_text(setting_) + std::string(unit_hint(setting_.kind)));
  }
  void refuse_type(const YamlNode& node) {
    const auto hint = quotes_hint(setting_.kind, node);
    const std::string what = (hint.empty() ? "" : "the string ") + shown(node) + " is not " + std::string(kind_name(setting_.kind));
    report_.problem(node.line, place_, what + "; allowed: " + allowed_text(setting_) + std::string(unit_hint(setting_.kind)).append(hint));
  }

  std::optional<std::string> expanded(const YamlNode& node, const Place& place) {
    auto text = expand(node.text, report_.folder());
    if (text) return *std::move(text);
    report_.problem(node.line, place, text.status().message());
    return std::nullopt;
  }

  void read_bool(const YamlNode& node, const std::string& text) {
    if (is_quoted_literal(node) || (text != "true" && text != "false")) return refuse_type(node);
    setting_.store(text == "true");
  }

  void read_number(const YamlNode& node, const std::string& text) {
    const auto number = parse_number(setting_.kind, text);
    if (!number || (setting_.kind == Kind::kInteger && is_quoted_literal(node))) return refuse_type(node);
    if (*number < setting_.min || *number > setting_.max) return refuse(node, place_, shown(node) + " is out of bounds");
    setting_.store(*number);
  }

  void read_choice(const YamlNode& node, const std::string& text) {
    for (const auto choice : setting_.choices)
      if (text == choice) return setting_.store(text);
    const auto meant = suggest(text, setting_.choices);
    report_.problem(node.line, place_,
                    shown(node) + " is not known; allowed: " + allowed_text(setting_) +
                        (meant.empty() ? "" : "; did you mean '" + std::string(meant) + "'?"));
  }

  bool accept(const YamlNode& node, const std::string& text, const Place& place) {
    if (setting_.accepts == nullptr || setting_.accepts(text)) return true;
    refuse(node, place, text.empty() ? "it is empty" : shown(node) + " is not accepted");
    return false;
  }

  void read_map(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (node.kind != YamlNode::Kind::kMap || node.entries.size() > kMaxListItems) return refuse_type(node);
    std::map<std::string, std::string> values;
    for (const auto& [key, value] : node.entries) {
      const Place place = place_.key(key.text);
      report_.remember_line(place, key.line);
      if (!value.is_scalar())
        report_.problem(value.line, place, shown(value) + " is not a value; allowed: text or a number");
      else if (auto text = expanded(value, place); text && !values.emplace(key.text, *std::move(text)).second)
        report_.problem(key.line, place, "the key '" + key.text + "' stands here twice; remove one");
    }
    setting_.store(std::move(values));
  }

  void read_list(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kList || node.items.size() > kMaxListItems) return refuse_type(node);
    if (node.items.size() < static_cast<std::size_t>(setting_.min)) return refuse(node, place_, "the list is empty");
    std::vector<std::string> items;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Place place = place_.item(i);
      report_.remember_line(place, node.items[i].line);
      if (!node.items[i].is_scalar()) {
        refuse(node.items[i], place, shown(node.items[i]) + " is not a string");
      } else if (auto text = expanded(node.items[i], place); text && accept(node.items[i], *text, place)) {
        items.push_back(*std::move(text));
      }
    }
    setting_.store(std::move(items));
  }

  const Setting& setting_;
  const Place& place_;
  Report& report_;
};

void refuse_unknown(const YamlKey& key, const Place& place, const Section& section, Report& report) {
  if (key.text == "<<")
    return report.problem(key.line, place, "YAML merge keys ('<<') are not supported; repeat the values, or use anchors for whole ones");
  const auto meant = suggest(key.text, section.keys());
  report.problem(key.line, place,
                 "unknown key '" + key.text.substr(0, 60) + "'; allowed: " + join(section.keys()) +
                     (meant.empty() ? "" : "; did you mean '" + std::string(meant) + "'?"));
}

void read_entry(const YamlKey& key, const YamlNode& value, const Place& place, const Section& section,
                const std::map<std::string_view, NestedReader>& readers, Report& report) {
  for (const auto& setting : section.settings)
    if (setting.key == key.text) return SettingReader(setting, place, report).read(value);
  if (const auto reader = readers.find(key.text); reader != readers.end()) return reader->second(value, place);
  if (!section.open) refuse_unknown(key, place, section, report);
}

}  // namespace

std::string_view describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull: return "nothing";
    case YamlNode::Kind::kPlain: return "a plain value";
    case YamlNode::Kind::kQuoted: return "a string";
    case YamlNode::Kind::kList: return "a list";
    case YamlNode::Kind::kMap: break;
  }
  return "a map";
}

void read_section(const YamlNode& node, const Place& place, const Section& section, const std::map<std::string_view, NestedReader>& readers,
                  Report& report) {
  if (node.kind != YamlNode::Kind::kMap && node.kind != YamlNode::Kind::kNull) {
    report.problem(node.line, place, shown(node) + " stands here; allowed: a map with the keys " + join(section.keys()));
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& [key, value] : node.entries) {
    const Place at = place.key(key.text);
    if (!seen.insert(key.text).second) {
      report.problem(key.line, at, "the key '" + key.text + "' stands here twice; remove one");
      continue;
    }
    report.remember_line(at, key.line);
    read_entry(key, value, at, section, readers, report);
  }
  for (const auto& setting : section.settings)
    if (setting.required && !seen.contains(setting.key))
      report.problem(node.line, place, "the key '" + std::string(setting.key) + "' is missing; allowed: " + allowed_text(setting));
}

}  // namespace fermata::config
