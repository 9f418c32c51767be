#pragma once

#include "base/status.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata {

struct HttpRequest {
  std::string method;
  std::string path;   ///< percent-decoded, without query
  std::string query;  ///< raw, without "?"
  std::string body;
  /// Value of a header, any case; nullopt if absent. Valid as long as the request.
  std::function<std::optional<std::string>(std::string_view name)> header;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< further ones, e.g. Allow
};

/// Answers one request, once, from any thread, now or later. The host answers 503 after its request timeout (30 s).
using Respond = std::function<void(HttpResponse)>;

/// Routes that services add below their own prefix. Threads: [any].
class HttpRoutes {
 public:
  virtual ~HttpRoutes() = default;

  /// @param rest  what "*" of the pattern matched, decoded.
  /// Called on a REST thread: returns soon and does not block. The request lives until `respond` was called or dropped.
  using Handler =
      std::function<void(std::shared_ptr<const HttpRequest> request, std::string_view path, std::string_view rest, Respond respond)>;

  /// Adds `method` `pattern` below the prefixes of `service`; a pattern may end in "/*". kAlreadyExists if taken, also by
  /// the host's own names (status, pause, resume, failed, locations).
  virtual Status add(std::string_view service, std::string_view method, std::string_view pattern, Handler handler) = 0;

  /// Removes all routes of a service; waits for handlers that run, at most 10 s. Not to be called from a handler.
  virtual void remove_all(std::string_view service) = 0;
};

}  // namespace fermata
