#pragma once

#include "model/object.hpp"

namespace fermata::crr {

/// User metadata of a file: its extended attributes in the "user." namespace, without that prefix, in the order of their
/// names. Empty where the file system has none.
Result<std::vector<std::pair<std::string, std::string>>> read_user_metadata(int file);

/// Sets them on a new file. kUnimplemented if the file system cannot hold them (never if there are none).
Status write_user_metadata(int file, const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace fermata::crr
