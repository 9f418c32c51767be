#include "rest/errors.hpp"

#include "base/percent.hpp"
#include "rest/json_writer.hpp"

#include <string>

namespace fermata::rest {
namespace {

struct KnownStatus {
  int status;
  std::string_view phrase;
  std::string_view backbeat_name;
};

constexpr KnownStatus kKnown[] = {
    {200, "OK", ""},
    {201, "Created", ""},
    {202, "Accepted", ""},
    {204, "No Content", ""},
    {304, "Not Modified", ""},
    {400, "Bad Request", "BadRequest"},
    {401, "Unauthorized", "Unauthorized"},
    {403, "Forbidden", "AccessDenied"},
    {404, "Not Found", "RouteNotFound"},
    {405, "Method Not Allowed", "MethodNotAllowed"},
    {408, "Request Timeout", "RequestTimeout"},
    {409, "Conflict", "Conflict"},
    {411, "Length Required", "LengthRequired"},
    {412, "Precondition Failed", "PreconditionFailed"},
    {413, "Content Too Large", "EntityTooLarge"},
    {415, "Unsupported Media Type", "UnsupportedMediaType"},
    {417, "Expectation Failed", "ExpectationFailed"},
    {422, "Unprocessable Content", "UnprocessableContent"},
    {429, "Too Many Requests", "TooManyRequests"},
    {431, "Request Header Fields Too Large", "HeaderTooLarge"},
    {500, "Internal Server Error", "InternalError"},
    {501, "Not Implemented", "NotImplemented"},
    {502, "Bad Gateway", "BadGateway"},
    {503, "Service Unavailable", "ServiceUnavailable"},
    {504, "Gateway Timeout", "GatewayTimeout"},
    {505, "HTTP Version Not Supported", "HTTPVersionNotSupported"},
};

const KnownStatus* find_status(int status) {
  for (const auto& known : kKnown)
    if (known.status == status) return &known;
  return nullptr;
}

/// A path as it stands in a URI; slashes within a segment cannot be told from others any more.
std::string uri_path(std::string_view path) {
  std::string uri;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    uri += percent_encode(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    uri += '/';
    path.remove_prefix(slash + 1);
  }
  return uri;
}

bool is_backbeat(std::string_view path) { return !path.starts_with("/api/") && path != "/livez" && path != "/readyz"; }

}  // namespace

std::string_view reason_phrase(int status) {
  const auto* known = find_status(status);
  return known == nullptr ? std::string_view() : known->phrase;
}

HttpResponse backbeat_error(std::string_view name, int status, std::string_view description) {
  JsonWriter json;
  json.begin_object().member(name, true).member("code", status).member("description", description).end_object();
  return {.status = status, .body = json.take()};
}

HttpResponse backbeat_error(int status, std::string_view description) {
  const auto* known = find_status(status);
  return backbeat_error(known == nullptr ? "InternalError" : known->backbeat_name, status, description);
}

HttpResponse problem(int status, std::string_view detail, std::string_view path) {
  JsonWriter json;
  json.begin_object().member("type", "about:blank").member("title", reason_phrase(status)).member("status", status);
  json.member("detail", detail).member("instance", uri_path(path)).end_object();
  return {.status = status, .content_type = "application/problem+json", .body = json.take()};
}

HttpResponse problem(const Status& error, std::string_view path) { return problem(http_status(error.code()), error.message(), path); }

HttpResponse error_response(std::string_view path, int status, std::string_view detail) {
  return is_backbeat(path) ? backbeat_error(status, detail) : problem(status, detail, path);
}

int http_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kOutOfRange: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition: return 409;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable:
    case Code::kAborted:
    case Code::kDeadlineExceeded:
    case Code::kResourceExhausted: return 503;
    default: return 500;
  }
}

HttpResponse no_route(const HttpRequest& request, bool other_methods) {
  const std::string& method = request.method;
  const bool backbeat = is_backbeat(request.path);
  const bool known = method == "GET" || method == "HEAD" || method == "POST" || method == "DELETE" || method == "OPTIONS";
  // Backbeat refuses a method before it looks at the route, but does not know a route by the wrong one of its methods.
  if (backbeat ? !known : other_methods)
    return error_response(request.path, 405, "method " + method + " is not served here; see the Allow header or GET /openapi.json");
  return error_response(request.path, 404, "nothing is served at " + method + " " + request.path + "; GET /openapi.json lists what is");
}

}  // namespace fermata::rest
