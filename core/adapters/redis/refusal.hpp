#pragma once

#include "base/status.hpp"

#include <string_view>

namespace fermata::redis {

/// What an error answer of Redis means and what to do about it.
/// @param server   as in messages, e.g. "Redis 127.0.0.1:6379".
/// @param request  what was asked for, e.g. "SUBSCRIBE".
/// @param answer   the text of the error; its first word is Redis's code.
Status refusal(std::string_view server, std::string_view request, std::string_view answer);

/// The same for a login. Quotes no more than the code, as some servers repeat what they were sent.
/// @param setting  of the password, e.g. "redis.password".
Status login_refusal(std::string_view server, std::string_view setting, std::string_view answer);

}  // namespace fermata::redis
