#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::rest {

/// Appends `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Writes JSON front to back, without a tree: an answer may list 10,000 locations. The caller balances begin and end.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  JsonWriter& value(std::integral auto number) { return raw(std::to_string(number)); }
  JsonWriter& null() { return raw("null"); }
  /// @param json  a whole value.
  JsonWriter& raw(std::string_view json);

  JsonWriter& member(std::string_view name, const auto& content) { return key(name).value(content); }
  /// null if the text is empty.
  JsonWriter& text_or_null(std::string_view name, std::string_view text);

  std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string out_;
  bool comma_ = false;  // before the next key or value
};

}  // namespace fermata::rest
