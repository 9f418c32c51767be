#pragma once
// What a JSON Schema says, in words: for messages that tell an operator what is allowed.
// Private to this folder: the only header here that shows Boost.JSON.

#include "base/status.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace fermata::plugin {

/// The part of a schema that speaks about the value at `path`; null if it is not found by the plain keywords
/// (properties, patternProperties, additionalProperties, items, local $ref).
const boost::json::object* subschema_at(const boost::json::value& root, const std::vector<std::string>& path);

/// "an integer from 1 to 16", "one of \"a\", \"b\""; empty if the schema says nothing simple.
std::string allowed_by(const boost::json::object& schema);

/// "number", "string", ...
std::string kind_of(const boost::json::value& value);

/// The keys of `value` that neither properties nor patternProperties of `schema` name.
std::vector<std::string> unknown_keys(const boost::json::object& schema, const boost::json::value& value);
/// "a, b, c", or "none".
std::string known_keys(const boost::json::object& schema);

/// kInvalidArgument naming the first `pattern` or `patternProperties` that is not a regular expression.
Status check_patterns(const boost::json::value& schema);

}  // namespace fermata::plugin
