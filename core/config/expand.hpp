#pragma once

#include "base/status.hpp"

#include <string>
#include <string_view>

namespace fermata::config {

/// Replaces ${env:NAME} by an environment variable and ${file:PATH} by a file's text without its last line feed; "$$" is
/// one "$". A relative PATH is taken from `folder`; a file has at most 64 KiB. What is put in is not looked at again and
/// never appears in a message. kInvalidArgument saying what cannot be replaced, and the fix.
Result<std::string> expand(std::string_view text, const std::string& folder);

}  // namespace fermata::config
