#pragma once

#include "base/status.hpp"
#include "plugin/manifest.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::plugin {

/// A JSON Schema (draft 7), compiled once for many values. Copyable. Threads: one at a time.
class SchemaValidator {
 public:
  /// kInvalidArgument, saying where, if `schema_json` is not a schema.
  static Result<SchemaValidator> compile(std::string_view schema_json);

  /// Everything that the schema refuses; empty: valid. Messages say what is allowed and never show the value itself,
  /// which may be a secret.
  std::vector<SchemaProblem> validate(std::string_view value_json) const;

 private:
  struct Compiled;
  explicit SchemaValidator(std::shared_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<Compiled> compiled_;
};

}  // namespace fermata::plugin
