#include "config/json_text.hpp"

#include "config/expand.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <optional>

namespace fermata::config {
namespace {

using boost::json::value;

/// All of `digits` as a number in `base`; nullopt if it is something else or too large.
template <typename T>
std::optional<T> whole_number(std::string_view digits, int base) {
  T number{};
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, number, base);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

bool only(std::string_view text, std::string_view characters) { return !text.empty() && text.find_first_not_of(characters) == text.npos; }

std::string_view without_plus(std::string_view text) { return text.starts_with('+') ? text.substr(1) : text; }

bool looks_like_integer(std::string_view text) {
  return only(text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text, "0123456789");
}

bool looks_like_float(std::string_view text) {
  if (!only(text, "0123456789+-.eE")) return false;
  if (text.front() == '+' || text.front() == '-') text.remove_prefix(1);
  const auto exponent = text.find_first_of("eE");
  const auto mantissa = text.substr(0, exponent);
  if (!only(mantissa, "0123456789.") || mantissa == "." || mantissa.find('.') != mantissa.rfind('.')) return false;
  return exponent == text.npos || looks_like_integer(text.substr(exponent + 1));
}

/// A number that a plain scalar means; null if it means none; nullopt if JSON cannot hold it.
std::optional<value> plain_number(std::string_view text) {
  constexpr int kHex = 16;
  constexpr int kOctal = 8;
  if (looks_like_integer(text)) {
    if (const auto number = whole_number<std::int64_t>(without_plus(text), 10)) return value(*number);
    if (const auto number = whole_number<std::uint64_t>(without_plus(text), 10)) return value(*number);
    return std::nullopt;
  }
  const auto digits = text.substr(std::min<std::size_t>(text.size(), 2));
  const bool hex = text.starts_with("0x") && only(digits, "0123456789abcdefABCDEF");
  if (hex || (text.starts_with("0o") && only(digits, "01234567"))) {
    const auto number = whole_number<std::uint64_t>(digits, hex ? kHex : kOctal);
    return number ? std::optional(value(*number)) : std::nullopt;
  }
  if (looks_like_float(text)) {
    double number = 0;
    const auto unsigned_text = without_plus(text);
    const auto parsed = std::from_chars(unsigned_text.data(), unsigned_text.data() + unsigned_text.size(), number);
    return parsed.ec == std::errc() ? std::optional(value(number)) : std::nullopt;
  }
  return value();
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

class Converter {
 public:
  explicit Converter(Report& report) : report_(report) {}

  value convert(const YamlNode& node, const Place& place, std::string_view skip) {
    switch (node.kind) {
      case YamlNode::Kind::kNull: return {};
      case YamlNode::Kind::kPlain:
      case YamlNode::Kind::kQuoted: return scalar(node, place);
      case YamlNode::Kind::kList: return list(node, place);
      case YamlNode::Kind::kMap: break;
    }
    return map(node, place, skip);
  }

 private:
  value list(const YamlNode& node, const Place& place) {
    boost::json::array array;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Place item = place.item(i);
      report_.remember_line(item, node.items[i].line);
      array.push_back(convert(node.items[i], item, {}));
    }
    return array;
  }

  value map(const YamlNode& node, const Place& place, std::string_view skip) {
    boost::json::object object;
    for (const auto& [key, child] : node.entries) {
      if (!skip.empty() && key.text == skip) continue;
      const Place at = place.key(key.text);
      report_.remember_line(at, key.line);
      if (!object.emplace(key.text, convert(child, at, {})).second)
        report_.problem(key.line, at, "the key '" + key.text + "' stands here twice; remove one");
    }
    return object;
  }

  value scalar(const YamlNode& node, const Place& place) {
    if (node.kind == YamlNode::Kind::kQuoted || node.text.find('$') != std::string::npos) return expanded(node, place);
    if (is_one_of(node.text, {"true", "True", "TRUE"})) return true;
    if (is_one_of(node.text, {"false", "False", "FALSE"})) return false;
    const auto number = plain_number(node.text);
    const bool no_json = is_one_of(node.text, {".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN"});
    if (!number || no_json) {
      report_.problem(node.line, place,
                      "the number '" + node.text.substr(0, 40) + "' is too large or none at all; write it in quotes if it is text");
      return {};
    }
    return number->is_null() ? value(node.text) : *number;
  }

  value expanded(const YamlNode& node, const Place& place) {
    auto text = expand(node.text, report_.folder());
    if (text) return value(*text);
    report_.problem(node.line, place, text.status().message());
    return {};
  }

  Report& report_;
};

}  // namespace

std::string json_text(const YamlNode& node, const Place& place, Report& report, std::string_view skip) {
  return boost::json::serialize(Converter(report).convert(node, place, skip));
}

}  // namespace fermata::config
