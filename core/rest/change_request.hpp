#pragma once
// What both APIs need to find locations and to ask for changes.

#include "control/control_plane.hpp"
#include "ports/http_routes.hpp"

#include <string>
#include <string_view>

namespace fermata::rest {

/// Who asks: the header X-Fermata-By, cut to 256 bytes; else "rest:<peer>"; else "rest".
std::string asked_by(const HttpRequest& request);

/// kNotFound, naming what there is instead, if there is no such service, or no such location of it ("all" always is).
Status check_target(const control::ControlPlane& control, std::string_view service, std::string_view location);

}  // namespace fermata::rest
