#pragma once

#include "base/status.hpp"
#include "ports/http_routes.hpp"

#include <string_view>

namespace fermata::rest {

/// "Not Found"; empty for a code that we do not know.
std::string_view reason_phrase(int status);

/// Backbeat's form: {"<name>":true,"code":..,"description":".."}.
HttpResponse backbeat_error(std::string_view name, int status, std::string_view description);
/// As above, with the name that goes with the status: RouteNotFound for 404, ...
HttpResponse backbeat_error(int status, std::string_view description);
/// RFC 9457. @param path  of the request, decoded.
HttpResponse problem(int status, std::string_view detail, std::string_view path);
/// A problem with the status that goes with an error of ours.
HttpResponse problem(const Status& error, std::string_view path);
/// Whichever of the two forms the path's API speaks.
HttpResponse error_response(std::string_view path, int status, std::string_view detail);
/// The HTTP status of an error of ours.
int http_status(Code code);

/// Router fallback: nothing matches, or only with another method.
HttpResponse no_route(const HttpRequest& request, bool other_methods);

}  // namespace fermata::rest
