#include "text/query.hpp"

#include "text/text.hpp"

#include <algorithm>

namespace fermata::text {

sdk::Result<std::map<std::string, std::string, std::less<>>> parse_query(std::string_view query,
                                                                         std::initializer_list<std::string_view> known) {
  std::map<std::string, std::string, std::less<>> values;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string name(pair.substr(0, equals));
    const auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!value) return sdk::Status(sdk::Code::kInvalidArgument, name + ": a percent sign must be followed by two hex digits");
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string names;
      for (const auto one : known) names.append(names.empty() ? "" : ", ").append(one);
      return sdk::Status(sdk::Code::kInvalidArgument, "'" + name + "' is unknown; there is " + names);
    }
    values[name] = *value;
  }
  return values;
}

}  // namespace fermata::text
