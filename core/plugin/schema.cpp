#include "plugin/schema.hpp"

#include "plugin/schema_words.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#define VALIJSON_USE_EXCEPTIONS 1  // otherwise it aborts at a schema that is not one
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <exception>
#include <set>

namespace fermata::plugin {
namespace json = boost::json;
namespace {

using Tokens = std::vector<std::string>;

// valijson writes a path as "<root>", "[key]", "[0]".
Tokens tokens_of(const std::vector<std::string>& context) {
  Tokens tokens;
  for (const auto& step : context)
    if (step.size() >= 2 && step.front() == '[') tokens.push_back(step.substr(1, step.size() - 2));
  return tokens;
}

std::string pointer_of(const Tokens& tokens) {
  std::string pointer;
  for (const auto& token : tokens) {
    pointer += '/';
    for (const char c : token) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return pointer;
}

constexpr std::string_view kMissingKey = "Missing required property '";  // then the key and "'."

// Says only that something below did not fit, which has an entry of its own.
bool is_summary(std::string_view description) {
  return description.starts_with("Failed to validate") && description.find("anyOf") == std::string_view::npos;
}

const json::value* value_at(const json::value& root, const Tokens& tokens) {
  boost::system::error_code error;
  return root.find_pointer(pointer_of(tokens), error);
}

// All keys that the schema does not know; valijson reports only the first.
void add_unknown_keys(const json::object& schema, const json::value& value, const Tokens& at, std::vector<SchemaProblem>& problems) {
  for (const auto& key : unknown_keys(schema, value)) {
    Tokens path = at;
    path.push_back(key);
    problems.push_back({pointer_of(path), fmt::format("unknown key '{}'; allowed: {}", key, known_keys(schema))});
  }
}

void add_problem(const json::value& schema_root, const json::value& value_root, const valijson::ValidationResults::Error& error,
                 std::vector<SchemaProblem>& problems) {
  const Tokens at = tokens_of(error.context);
  const json::object* schema = subschema_at(schema_root, at);
  const json::value* value = value_at(value_root, at);
  if (error.description.starts_with("Object contains a property") && schema != nullptr && value != nullptr)
    return add_unknown_keys(*schema, *value, at, problems);
  if (error.description.starts_with(kMissingKey)) {
    Tokens key = at;
    key.push_back(error.description.substr(kMissingKey.size(), error.description.size() - kMissingKey.size() - 2));
    const json::object* missing = subschema_at(schema_root, key);
    const std::string allowed = missing == nullptr ? "" : allowed_by(*missing);
    problems.push_back(
        {pointer_of(at), fmt::format("the key '{}' is missing{}{}", key.back(), allowed.empty() ? "" : "; it is ", allowed)});
    return;
  }
  const std::string allowed = schema == nullptr ? "" : allowed_by(*schema);
  const std::string what = value == nullptr ? "value" : kind_of(*value);
  problems.push_back(
      {pointer_of(at), allowed.empty() ? error.description : fmt::format("this {} is not allowed; allowed: {}", what, allowed)});
}

std::vector<SchemaProblem> explain(const json::value& schema, const json::value& value, valijson::ValidationResults& results) {
  const bool has_leaf = std::any_of(results.begin(), results.end(), [](const auto& error) { return !is_summary(error.description); });
  std::vector<SchemaProblem> problems;
  for (const auto& error : results)
    if (!has_leaf || !is_summary(error.description)) add_problem(schema, value, error, problems);

  std::set<std::pair<std::string, std::string>> seen;
  std::erase_if(problems, [&seen](const auto& problem) { return !seen.emplace(problem.pointer, problem.message).second; });
  return problems;
}

}  // namespace

struct SchemaValidator::Compiled {
  json::value document;
  valijson::Schema schema;
  valijson::Validator validator{valijson::Validator::kStrongTypes};
};

Result<SchemaValidator> SchemaValidator::compile(std::string_view schema_json) {
  auto compiled = std::make_shared<Compiled>();
  boost::system::error_code error;
  compiled->document = json::parse(json::string_view(schema_json.data(), schema_json.size()), error);
  if (error) return Status(Code::kInvalidArgument, fmt::format("the schema is not JSON: {}", error.message()));
  if (!compiled->document.is_object()) return Status(Code::kInvalidArgument, "the schema is not a JSON object");
  try {
    valijson::SchemaParser().populateSchema(valijson::adapters::BoostJsonAdapter(compiled->document), compiled->schema);
  } catch (const std::exception& thrown) {
    return Status(Code::kInvalidArgument, fmt::format("not a JSON Schema: {}", thrown.what()));
  }
  if (auto patterns = check_patterns(compiled->document); !patterns) return patterns;
  return SchemaValidator(std::move(compiled));
}

std::vector<SchemaProblem> SchemaValidator::validate(std::string_view value_json) const {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(value_json.data(), value_json.size()), error);
  if (error) return {{"", fmt::format("not JSON: {}", error.message())}};
  valijson::ValidationResults results;
  try {
    if (compiled_->validator.validate(compiled_->schema, valijson::adapters::BoostJsonAdapter(value), &results)) return {};
  } catch (const std::exception& thrown) {  // some constraints throw at values of a type they do not expect
    if (results.numErrors() == 0) return {{"", fmt::format("a value has a type that the schema does not expect: {}", thrown.what())}};
  }
  auto problems = explain(compiled_->document, value, results);
  if (problems.empty()) problems.push_back({"", "not allowed by the schema"});
  return problems;
}

std::vector<SchemaProblem> validate(std::string_view schema_json, std::string_view value_json) {
  const auto validator = SchemaValidator::compile(schema_json);
  if (!validator) return {{"", validator.status().message()}};
  return validator->validate(value_json);
}

}  // namespace fermata::plugin
