#pragma once
// A YAML file as a plain tree, with the line of everything. The only place that knows yaml-cpp.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fermata::config {

struct YamlKey {
  std::string text;
  int line = 0;
};

/// One value. Aliases are resolved; keys of a map are as written, duplicates included.
struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kPlain, kQuoted, kList, kMap };  // scalars: kPlain may be a number, kQuoted is a string
  Kind kind = Kind::kNull;
  int line = 0;
  std::string text = {};
  std::vector<YamlNode> items = {};
  std::vector<std::pair<YamlKey, YamlNode>> entries = {};

  bool is_scalar() const { return kind == Kind::kPlain || kind == Kind::kQuoted; }
};

/// What stands in the way of reading the file at all.
struct YamlError {
  int line = 0;
  std::string message;
};

/// Reads one YAML document. Bounds: 64 MiB, depth 64, a million values after aliases are resolved. Refused: no document
/// or more than one, what is not UTF-8, tags other than YAML's own for strings, lists and maps, keys that are not
/// scalars, an alias within its own anchor.
/// @return false with `error` set.
bool read_yaml(const std::string& file, YamlNode& root, YamlError& error);

}  // namespace fermata::config
