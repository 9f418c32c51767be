#pragma once

#include <string>
#include <string_view>

namespace fermata::text {

/// The body of a problem of RFC 9457. Names in requests can be any bytes, JSON cannot: those that do not fit are written as
/// \xNN.
std::string problem_body(int status, std::string_view detail);

}  // namespace fermata::text
