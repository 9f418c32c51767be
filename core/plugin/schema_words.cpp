#include "plugin/schema_words.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <regex>

namespace fermata::plugin {
namespace json = boost::json;
namespace {

constexpr int kMaxReferences = 16;  // a chain of $ref longer than this is a loop

std::string text(const json::string& string) { return {string.data(), string.size()}; }

const json::object* object_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

const json::object* resolve(const json::value& root, const json::value* schema) {
  for (int i = 0; i < kMaxReferences && schema != nullptr && schema->is_object(); ++i) {
    const json::value* reference = schema->as_object().if_contains("$ref");
    if (reference == nullptr) return &schema->as_object();
    const json::string* target = reference->if_string();
    if (target == nullptr || !target->starts_with('#')) return nullptr;
    boost::system::error_code error;
    schema = root.find_pointer(target->subview(1), error);
  }
  return nullptr;
}

bool matches(std::string_view pattern, const std::string& key) {
  return std::regex_search(key, std::regex(std::string(pattern)));  // patterns were checked when the schema was compiled
}

const json::value* pattern_property(const json::object& schema, const std::string& key) {
  if (const auto* patterns = object_in(schema, "patternProperties")) {
    for (const auto& [pattern, below] : *patterns)
      if (matches({pattern.data(), pattern.size()}, key)) return &below;
  }
  return nullptr;
}

const json::value* step(const json::object& schema, const std::string& token) {
  if (const auto* properties = object_in(schema, "properties"))
    if (const json::value* below = properties->if_contains(token)) return below;
  if (const json::value* below = pattern_property(schema, token)) return below;
  if (const json::value* items = schema.if_contains("items")) {
    const json::array* each = items->if_array();
    if (each == nullptr) return items;
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    return error == std::errc() && index < each->size() ? &(*each)[index] : nullptr;
  }
  return schema.if_contains("additionalProperties");
}

std::string type_name(std::string_view type) {
  if (type == "integer") return "an integer";
  if (type == "boolean") return "true or false";
  if (type == "array") return "a list";
  if (type == "object") return "an object";
  if (type == "null") return "null";
  return fmt::format("a {}", type);
}

std::string types(const json::object& schema) {
  const json::value* type = schema.if_contains("type");
  if (type == nullptr) return "";
  if (const auto* one = type->if_string()) return type_name({one->data(), one->size()});
  std::string names;
  if (const auto* several = type->if_array()) {
    for (const auto& one : *several)
      if (one.is_string()) names += (names.empty() ? "" : " or ") + type_name(text(one.as_string()));
  }
  return names;
}

std::string range(const json::object& schema, const char* least, const char* most) {
  const json::value* low = schema.if_contains(least);
  const json::value* high = schema.if_contains(most);
  if (low != nullptr && high != nullptr) return fmt::format("{} to {}", json::serialize(*low), json::serialize(*high));
  if (low != nullptr) return fmt::format("at least {}", json::serialize(*low));
  if (high != nullptr) return fmt::format("at most {}", json::serialize(*high));
  return "";
}

void add_range(std::string& words, std::string_view before, const std::string& range, std::string_view after) {
  if (!range.empty()) words += fmt::format("{}{}{}", before, range, after);
}

std::string choices(const json::array& values) {
  std::string words = "one of ";
  for (const auto& value : values) words += (&value == values.data() ? "" : ", ") + json::serialize(value);
  return words;
}

Status check_pattern(const std::string& pattern) {
  try {
    const std::regex compiled(pattern);
    return Status::ok();
  } catch (const std::regex_error& error) {
    return {Code::kInvalidArgument, fmt::format("the pattern '{}' is not a regular expression: {}", pattern, error.what())};
  }
}

Status check_patterns_of(const json::object& schema) {
  if (const json::value* pattern = schema.if_contains("pattern"); pattern != nullptr && pattern->is_string())
    if (auto checked = check_pattern(text(pattern->as_string())); !checked) return checked;
  if (const auto* patterns = object_in(schema, "patternProperties")) {
    for (const auto& [pattern, below] : *patterns)
      if (auto checked = check_pattern(std::string(pattern.data(), pattern.size())); !checked) return checked;
  }
  for (const auto& [key, below] : schema)
    if (auto checked = check_patterns(below); !checked) return checked;
  return Status::ok();
}

}  // namespace

const json::object* subschema_at(const json::value& root, const std::vector<std::string>& path) {
  const json::object* schema = resolve(root, &root);
  for (const auto& token : path) {
    if (schema == nullptr) return nullptr;
    schema = resolve(root, step(*schema, token));
  }
  return schema;
}

std::string allowed_by(const json::object& schema) {
  if (const json::value* constant = schema.if_contains("const")) return "exactly " + json::serialize(*constant);
  if (const json::value* values = schema.if_contains("enum"); values != nullptr && values->is_array()) return choices(values->as_array());
  std::string words = types(schema);
  if (words.empty()) return words;
  add_range(words, " of ", range(schema, "minimum", "maximum"), "");
  add_range(words, " above ", range(schema, "exclusiveMinimum", ""), "");
  add_range(words, " below ", range(schema, "", "exclusiveMaximum"), "");
  add_range(words, " of ", range(schema, "minLength", "maxLength"), " characters");
  add_range(words, " of ", range(schema, "minItems", "maxItems"), " entries");
  if (const json::value* pattern = schema.if_contains("pattern"); pattern != nullptr && pattern->is_string())
    words += fmt::format(" that matches {}", text(pattern->as_string()));
  if (const json::value* format = schema.if_contains("format"); format != nullptr && format->is_string())
    words += fmt::format(" in the format {}", text(format->as_string()));
  if (const json::value* about = schema.if_contains("description"); about != nullptr && about->is_string())
    words += fmt::format(" ({})", text(about->as_string()));
  return words;
}

std::string kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "boolean";
    case json::kind::string: return "string";
    case json::kind::array: return "list";
    case json::kind::object: return "object";
    default: return "number";
  }
}

std::vector<std::string> unknown_keys(const json::object& schema, const json::value& value) {
  std::vector<std::string> unknown;
  if (!value.is_object()) return unknown;
  const auto* properties = object_in(schema, "properties");
  for (const auto& [name, member] : value.as_object()) {
    const std::string key(name.data(), name.size());
    const bool known = (properties != nullptr && properties->contains(key)) || pattern_property(schema, key) != nullptr;
    if (!known) unknown.push_back(key);
  }
  return unknown;
}

std::string known_keys(const json::object& schema) {
  std::string names;
  if (const auto* properties = object_in(schema, "properties")) {
    for (const auto& [name, below] : *properties) names += (names.empty() ? "" : ", ") + std::string(name.data(), name.size());
  }
  return names.empty() ? "none" : names;
}

Status check_patterns(const json::value& schema) {
  if (const auto* object = schema.if_object()) return check_patterns_of(*object);
  if (const auto* array = schema.if_array()) {
    for (const auto& element : *array)
      if (auto checked = check_patterns(element); !checked) return checked;
  }
  return Status::ok();
}

}  // namespace fermata::plugin
