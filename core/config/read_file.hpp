#pragma once

#include "base/status.hpp"

#include <cstddef>
#include <string>

namespace fermata::config {

/// The contents of a regular file of at most `max_bytes`. The message says what failed, without the file's name.
Result<std::string> read_file(const std::string& file, std::size_t max_bytes);

}  // namespace fermata::config
