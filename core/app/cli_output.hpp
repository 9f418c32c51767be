#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::app {

/// Columns for people, as wide as their widest cell. Cells are escaped: they cannot drive a terminal.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  /// @param row  as many cells as the header has.
  void add(std::vector<std::string> row);
  void print(std::ostream& out, std::string_view indent = {}) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// `text` on one line, without control characters.
std::string printable(std::string_view text);

/// The scalar at `path` within `value` as text; empty if there is none or it is null.
std::string text_at(const boost::json::value& value, std::initializer_list<std::string_view> path);
/// The whole number `key` of an object; 0 if there is none.
std::int64_t number_at(const boost::json::value& value, std::string_view key);
/// The list `key` of an object; empty if there is none.
const boost::json::array& list_at(const boost::json::value& value, std::string_view key);
/// The text as JSON; null if it is none.
boost::json::value parse_or_null(std::string_view text);

/// Any JSON for people: an object as "key: value" lines, without those that are empty; lists of objects as tables, or, if
/// they have many members, one below the other.
void print_json(std::ostream& out, const boost::json::value& value, const std::string& indent = {});

}  // namespace fermata::app
