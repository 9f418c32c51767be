#pragma once

#include "base/clock.hpp"
#include "base/status.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fermata::rest {

// What the bodies of requests say. Every error is kInvalidArgument and names the key: what is allowed, and what to do.

/// The largest delay of a scheduled resume.
inline constexpr int kMaxHours = 87'600;

/// {"hours": N}, as Backbeat takes it: no body and no `hours` mean 6, other keys are ignored.
Result<int> parse_backbeat_hours(std::string_view body);

/// {"reason": ".."} or nothing.
Result<std::string> parse_reason(std::string_view body);

struct ScheduleBody {
  WallTime at;
  std::string reason;
};
/// {"hours": N} or {"at": RFC 3339} or {"after": duration}, with or without "reason". The time is in the future of `now`.
Result<ScheduleBody> parse_schedule(std::string_view body, WallTime now);

struct RetryBody {
  bool all = false;
  std::vector<std::string> ids = {};  ///< 1 to 10,000, if not all
};
/// {"ids": [..]} or {"all": true}.
Result<RetryBody> parse_retry(std::string_view body);

}  // namespace fermata::rest
