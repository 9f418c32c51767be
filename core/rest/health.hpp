#pragma once

#include "rest/api.hpp"

#include <string>

namespace fermata::rest {

/// The body of Backbeat's healthcheck. May block for I/O: call it on ApiDependencies::executor.
std::string health_json(const ApiDependencies& dependencies);

}  // namespace fermata::rest
