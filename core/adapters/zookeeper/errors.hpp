#pragma once

#include "base/status.hpp"

#include <string_view>

namespace fermata::zookeeper {

/// True if the ensemble did not answer: whether it did what was asked is not known.
bool is_lost(int code);

/// What a code of the client (ZOO_ERRORS, not ZOK) means to a caller, on an entry.
Status to_status(int code, std::string_view path);

}  // namespace fermata::zookeeper
