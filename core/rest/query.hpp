#pragma once

#include "base/status.hpp"

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::rest {

/// The longest "?wait=".
inline constexpr std::chrono::minutes kMaxWait{10};

/// The parameters of a request, percent-decoded ("+" stays "+").
class Query {
 public:
  /// kInvalidArgument naming the parameter that is unknown, given twice, or malformed.
  static Result<Query> parse(std::string_view raw, std::initializer_list<std::string_view> allowed);

  /// Empty if absent.
  std::string text(std::string_view name) const;
  /// "limit", from 1 to `max`; `fallback` if absent.
  Result<std::size_t> limit(std::size_t fallback, std::size_t max) const;
  /// "wait": a duration of at most kMaxWait; nullopt if absent.
  Result<std::optional<std::chrono::milliseconds>> wait() const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// How much longer than others the server lets a request take that says "wait=": zero if it does not.
std::chrono::milliseconds wait_allowance(std::string_view raw);

}  // namespace fermata::rest
