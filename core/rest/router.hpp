#pragma once

#include "ports/http_routes.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::rest {

/// What one request was matched with.
struct RouteMatch {
  std::vector<std::string> params;  ///< what the "{name}" segments matched, decoded, in order
  std::string rest = {};            ///< what a final "*" matched, decoded
};

/// Finds the handler of a request. Built once, then read by REST threads; only service routes come and go.
///
/// A pattern is a list of segments: "literal", "{param}", or a final "*". Literals win over params, params over "*".
/// Segments are compared after one percent-decoding; an encoded "/" does not split. One trailing "/" is tolerated, and an
/// empty segment only right after "/_" ("/_//crr/status"); what "*" matches is not empty and is taken as it comes.
/// HEAD is served by GET's handler (the server leaves the body out); OPTIONS answers 204 with the allowed methods.
/// The routes of a service stand below "/api/v1/services/<service>/", "/_/<service>/" and "/_/backbeat/api/<service>/".
/// Threads: add before serving; dispatch and HttpRoutes [any].
class Router final : public HttpRoutes {
 public:
  using RouteHandler = std::function<void(std::shared_ptr<const HttpRequest>, const RouteMatch&, Respond)>;

  Router();
  ~Router() override;

  void route(std::string_view method, std::string_view pattern, RouteHandler handler);
  /// What is answered when nothing matches (404), or only with another method (405, with the allowed ones).
  using Fallback = std::function<HttpResponse(const HttpRequest&, const std::vector<std::string>& allowed_methods)>;
  void set_fallback(Fallback fallback);

  /// Calls the handler, or answers by the fallback. Sets the request's `path`.
  /// @param raw_path  as it came, percent-encoded, without query.
  void dispatch(std::shared_ptr<HttpRequest> request, std::string_view raw_path, Respond respond) const;

  /// Every (method, pattern), for the test that compares them with openapi.json.
  std::vector<std::pair<std::string, std::string>> routes() const;

  Status add(std::string_view service, std::string_view method, std::string_view pattern, Handler handler) override;
  void remove_all(std::string_view service) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::rest
