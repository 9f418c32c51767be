#include "plugin/check_sample.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>

namespace fermata::plugin {
namespace json = boost::json;
namespace {

constexpr int kMaxDepth = 16;  // of a schema that refers to itself

json::value make(const json::value& root, const json::value& schema, int depth);

std::string type_of(const json::object& schema) {
  const json::value* type = schema.if_contains("type");
  if (type != nullptr && type->is_array() && !type->as_array().empty()) type = &type->as_array().front();
  if (type != nullptr && type->is_string()) return {type->as_string().data(), type->as_string().size()};
  return schema.contains("properties") || schema.contains("required") ? "object" : "";
}

std::int64_t bound(const json::object& schema, std::string_view key, std::int64_t otherwise) {
  const json::value* value = schema.if_contains(key);
  if (value == nullptr || !value->is_number()) return otherwise;
  return static_cast<std::int64_t>(value->to_number<double>());
}

json::value make_object(const json::value& root, const json::object& schema, int depth) {
  json::object object;
  const json::value* required = schema.if_contains("required");
  const json::value* properties = schema.if_contains("properties");
  if (required == nullptr || !required->is_array()) return object;
  for (const auto& name : required->as_array()) {
    if (!name.is_string()) continue;
    const std::string key(name.as_string().data(), name.as_string().size());
    const json::value* member = properties != nullptr && properties->is_object() ? properties->as_object().if_contains(key) : nullptr;
    object[key] = member == nullptr ? json::value("x") : make(root, *member, depth);
  }
  return object;
}

json::value make_of_type(const json::value& root, const json::object& schema, const std::string& type, int depth) {
  if (type == "object") return make_object(root, schema, depth);
  if (type == "string")
    return json::value(std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(bound(schema, "minLength", 1), 0, 4'096)), 'x'));
  if (type == "boolean") return false;
  if (type == "integer" || type == "number")
    return std::min(bound(schema, "minimum", bound(schema, "exclusiveMinimum", 0) + 1), bound(schema, "maximum", INT64_MAX));
  if (type == "array") {
    json::array array;
    const json::value* items = schema.if_contains("items");
    for (std::int64_t i = 0; i < std::min<std::int64_t>(bound(schema, "minItems", 0), 64); ++i)
      array.push_back(items == nullptr ? json::value("x") : make(root, *items, depth));
    return array;
  }
  return nullptr;
}

json::value make(const json::value& root, const json::value& given, int depth) {
  if (depth > kMaxDepth) return nullptr;
  const json::object* schema = given.if_object();
  if (schema == nullptr) return nullptr;
  if (const json::value* reference = schema->if_contains("$ref"); reference != nullptr && reference->is_string()) {
    boost::system::error_code error;
    const json::value* target =
        reference->as_string().starts_with('#') ? root.find_pointer(reference->as_string().subview(1), error) : nullptr;
    return target == nullptr ? json::value() : make(root, *target, depth + 1);
  }
  for (const char* list : {"examples", "enum"})
    if (const json::value* values = schema->if_contains(list); values != nullptr && values->is_array() && !values->as_array().empty())
      return values->as_array().front();
  for (const char* constant : {"default", "const"})
    if (const json::value* value = schema->if_contains(constant)) return *value;
  for (const char* choice : {"oneOf", "anyOf"})
    if (const json::value* choices = schema->if_contains(choice); choices != nullptr && choices->is_array() && !choices->as_array().empty())
      return make(root, choices->as_array().front(), depth + 1);
  return make_of_type(root, *schema, type_of(*schema), depth + 1);
}

void fill_in(json::value& value, const std::string& work_dir) {
  constexpr std::string_view kPlace = "{work_dir}";
  if (auto* string = value.if_string()) {
    std::string text(string->data(), string->size());
    for (auto at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, at + work_dir.size()))
      text.replace(at, kPlace.size(), work_dir);
    *string = text;
  } else if (auto* array = value.if_array()) {
    for (auto& element : *array) fill_in(element, work_dir);
  } else if (auto* object = value.if_object()) {
    for (auto& member : *object) fill_in(member.value(), work_dir);
  }
}

Result<json::value> sample(std::string_view schema_json, const std::string& work_dir) {
  boost::system::error_code error;
  const json::value schema = json::parse(json::string_view(schema_json.data(), schema_json.size()), error);
  if (error) return Status(Code::kInvalidArgument, "the schema is not JSON");
  json::value value = make(schema, schema, 0);
  if (value.is_null()) value.emplace_object();
  fill_in(value, work_dir);
  const auto problems = validate(schema_json, json::serialize(value));
  if (problems.empty()) return value;
  return Status(Code::kNotFound,
                fmt::format("no value could be made that fits the schema ({}: {}); give one as `examples` at the root of the schema",
                            problems.front().pointer.empty() ? "/" : problems.front().pointer, problems.front().message));
}

std::vector<json::value> values_of_all_kinds() {
  return {json::object{{"unexpected", "object"}}, json::array{json::array{}}, "\x01 unexpected text", -1.5, true, nullptr};
}

}  // namespace

Result<std::string> sample_value(std::string_view schema_json, const std::string& work_dir) {
  const auto value = sample(schema_json, work_dir);
  if (!value) return value.status();
  return json::serialize(*value);
}

Result<SampleConfig> sample_config(const ServiceManifest& service, const std::string& work_dir) {
  const auto settings = sample(service.settings_schema_json, work_dir);
  if (!settings)
    return Status(settings.status().code(), fmt::format("settings of service '{}': {}", service.name, settings.status().message()));
  auto location = sample(service.location_schema_json, work_dir);
  if (!location)
    return Status(location.status().code(), fmt::format("location of service '{}': {}", service.name, location.status().message()));
  if (!location->is_object()) location->emplace_object();
  json::value& name = location->as_object()["name"];
  if (!name.is_string()) name = "check";
  const std::string location_name(name.as_string().data(), name.as_string().size());
  const json::object config = {
      {"service", service.name}, {"settings", *settings}, {"locations", json::array{*location}}, {"work_dir", work_dir}};
  return SampleConfig{json::serialize(config), location_name};
}

std::string with_settings(const SampleConfig& sample_config, std::string_view settings_json) {
  json::value config = json::parse(sample_config.config_json);
  config.as_object()["settings"] = json::parse(json::string_view(settings_json.data(), settings_json.size()));
  return json::serialize(config);
}

std::vector<WrongSettings> wrong_settings(std::string_view schema_json, std::string_view settings_json) {
  const json::value schema = json::parse(json::string_view(schema_json.data(), schema_json.size()));
  const json::value settings = json::parse(json::string_view(settings_json.data(), settings_json.size()));
  std::vector<WrongSettings> groups;
  const json::value* properties = schema.is_object() ? schema.as_object().if_contains("properties") : nullptr;
  if (properties == nullptr || !properties->is_object() || !settings.is_object()) return groups;
  for (const auto& member : properties->as_object()) {
    WrongSettings group{std::string(member.key().data(), member.key().size()), {}};
    for (const auto& value : values_of_all_kinds()) {
      json::object changed = settings.as_object();
      changed[member.key()] = value;
      group.settings_json.push_back(json::serialize(changed));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace fermata::plugin
