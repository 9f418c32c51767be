#include "app/cli_output.hpp"

#include "base/utf8.hpp"
#include "telemetry/escape.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <ostream>

namespace fermata::app {
namespace {

namespace json = boost::json;

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

bool is_list_of_objects(const json::value& value) {
  return value.is_array() && !value.get_array().empty() &&
         std::ranges::all_of(value.get_array(), [](const json::value& item) { return item.is_object(); });
}

std::string cell_text(const json::value& value) {
  if (value.is_null()) return "";
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

bool is_empty(const json::value& value) {
  return value.is_null() || (value.is_string() && value.get_string().empty()) || (value.is_array() && value.get_array().empty()) ||
         (value.is_object() && value.get_object().empty());
}

void print_list(std::ostream& out, const json::array& list, const std::string& indent) {
  constexpr std::size_t kMaxColumns = 6;
  std::vector<std::string> header;
  for (const auto& item : list)
    for (const auto& member : item.get_object())
      if (std::ranges::find(header, member.key()) == header.end()) header.emplace_back(member.key());
  if (header.size() > kMaxColumns) {
    for (const auto& item : list) {
      out << indent << "-\n";
      print_json(out, item, indent + "  ");
    }
    return;
  }
  Table table(header);
  for (const auto& item : list) {
    std::vector<std::string> row;
    for (const auto& key : header) {
      const auto* found = item.get_object().if_contains(key);
      row.push_back(found != nullptr ? cell_text(*found) : "");
    }
    table.add(std::move(row));
  }
  table.print(out, indent);
}

}  // namespace

Table::Table(std::vector<std::string> header) { add(std::move(header)); }

void Table::add(std::vector<std::string> row) {
  for (auto& cell : row) cell = printable(cell);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, std::string_view indent) const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  for (const auto& row : rows_) {
    std::string line(indent);
    for (std::size_t i = 0; i < row.size(); ++i) line.append(row[i]).append(widths[i] - width_of(row[i]) + 2, ' ');
    line.resize(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

std::string printable(std::string_view text) {
  std::string safe;
  telemetry::append_escaped(safe, text, telemetry::Escape::kText);
  return safe;
}

std::string text_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* at = &value;
  for (const auto key : path) {
    at = at->is_object() ? at->get_object().if_contains(key) : nullptr;
    if (at == nullptr) return "";
  }
  return cell_text(*at);
}

std::int64_t number_at(const json::value& value, std::string_view key) {
  const auto* found = value.is_object() ? value.get_object().if_contains(key) : nullptr;
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

const json::array& list_at(const json::value& value, std::string_view key) {
  static const json::array kNone;
  const auto* found = value.is_object() ? value.get_object().if_contains(key) : nullptr;
  return found != nullptr && found->is_array() ? found->get_array() : kNone;
}

json::value parse_or_null(std::string_view text) {
  json::error_code error;
  auto value = json::parse(text, error);
  return error ? json::value() : value;
}

void print_json(std::ostream& out, const json::value& value, const std::string& indent) {
  if (is_list_of_objects(value)) return print_list(out, value.get_array(), indent);
  if (!value.is_object()) {
    out << indent << printable(cell_text(value)) << '\n';
    return;
  }
  for (const auto& [key, member] : value.get_object()) {
    if (is_empty(member)) continue;
    const bool nested = is_list_of_objects(member) || member.is_object();
    out << indent << printable(key) << (nested ? ":\n" : ": ");
    if (nested)
      print_json(out, member, indent + "  ");
    else
      out << printable(cell_text(member)) << '\n';
  }
}

}  // namespace fermata::app
