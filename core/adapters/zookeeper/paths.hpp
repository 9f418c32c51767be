#pragma once

#include "base/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace fermata::zookeeper {

/// The parent's path; "" of a top-level entry.
inline std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

/// kInvalidArgument unless `path` is absolute, without empty, "." or ".." parts, a '/' at the end, or control characters.
inline Status check_path(std::string_view path) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  bool valid = path.size() >= 2 && path.front() == '/' && std::ranges::none_of(path, is_control);
  for (std::string_view rest = path; valid && !rest.empty(); rest = parent_of(rest)) {
    const auto name = rest.substr(rest.rfind('/') + 1);
    valid = !name.empty() && name != "." && name != "..";
  }
  if (valid) return Status::ok();
  return {Code::kInvalidArgument,
          fmt::format("'{}' is no state path: write it as /a/b, without empty parts, '.', '..', or a '/' at the end", path)};
}

}  // namespace fermata::zookeeper
