#include "rest/router.hpp"

#include "rest/route_tree.hpp"

#include <array>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

namespace fermata::rest {
namespace {

constexpr std::array<std::string_view, 4> kHostNames{"status", "pause", "resume", "locations"};

/// What is wrong with a service's route; ok if nothing.
Status check_route(std::string_view method, std::string_view pattern) {
  const std::string name = std::string(method).append(" ").append(pattern);
  if (method != "GET" && method != "POST" && method != "PUT" && method != "DELETE")
    return {Code::kInvalidArgument, "route '" + name + "': the method must be GET, POST, PUT or DELETE"};
  if (pattern.empty() || pattern.front() == '/' || pattern.back() == '/' || pattern.find("//") != std::string_view::npos)
    return {Code::kInvalidArgument, "route '" + name + "': the pattern must be a relative path without empty segments"};
  const std::size_t star = pattern.find('*');
  const bool star_ends = star + 1 == pattern.size() && star > 0 && pattern[star - 1] == '/';
  if (pattern.find('{') != std::string_view::npos || (star != std::string_view::npos && !star_ends))
    return {Code::kInvalidArgument, "route '" + name + "': a pattern is literal, but for a final '/*'"};
  const std::string_view first = pattern.substr(0, pattern.find('/'));
  for (const auto host_name : kHostNames)
    if (first == host_name)
      return {Code::kAlreadyExists, "route '" + name + "': '" + std::string(first) + "' is the host's own; choose another name"};
  return Status::ok();
}

/// Allowed methods as OPTIONS and Allow name them: sorted, once each, with what the host itself answers.
std::vector<std::string> complete(std::vector<std::string> methods) {
  if (methods.empty()) return methods;
  for (const auto& method : methods) {
    if (method != "GET") continue;
    methods.emplace_back("HEAD");
    break;
  }
  methods.emplace_back("OPTIONS");
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  return methods;
}

std::string join(const std::vector<std::string>& methods) {
  std::string text;
  for (const auto& method : methods) text.append(text.empty() ? "" : ", ").append(method);
  return text;
}

/// Where the service's name stands in a path below one of the three prefixes.
std::optional<std::size_t> service_index(const PathSegments& path) {
  const auto is = [&path](std::size_t index, std::string_view text) { return index < path.size() && path[index] == text; };
  std::size_t index = 0;
  if (is(0, "api") && is(1, "v1") && is(2, "services"))
    index = 3;
  else if (is(0, "_"))
    index = is(1, "backbeat") && is(2, "api") ? 3 : 1;
  return index > 0 && index < path.size() ? std::optional(index) : std::nullopt;
}

}  // namespace

class Router::Impl {
 public:
  void route(std::string_view method, std::string_view pattern, RouteHandler handler) {
    if (tree_.add(method, pattern, std::move(handler))) routes_.emplace_back(method, pattern);
  }

  void dispatch(std::shared_ptr<HttpRequest> request, std::string_view raw_path, Respond respond) const {
    if (request->method == "OPTIONS" && raw_path == "*")
      return respond({204, "", "", {{"Allow", "DELETE, GET, HEAD, OPTIONS, POST, PUT"}}});
    const PathSegments path(raw_path);
    if (!path.valid()) {
      request->path = raw_path;
      return respond(fallback_(*request, {}));
    }
    request->path = raw_path.find('%') == std::string_view::npos ? std::string(raw_path) : percent_decode(raw_path).value_or("");
    auto found = tree_.find(request->method, path);
    if (found.handler != nullptr) return (*found.handler)(std::move(request), found.match, std::move(respond));
    if (dispatch_to_service(request, path, respond, found.allowed)) return;
    const auto allowed = complete(std::move(found.allowed));
    if (request->method == "OPTIONS" && !allowed.empty()) return respond({204, "", "", {{"Allow", join(allowed)}}});
    auto response = fallback_(*request, allowed);
    if (response.status == 405 && !allowed.empty()) response.headers.emplace_back("Allow", join(allowed));
    respond(std::move(response));
  }

  Status add(std::string_view service, std::string_view method, std::string_view pattern, Handler handler) {
    if (Status status = check_route(method, pattern); !status) return status;
    const std::lock_guard lock(mutex_);
    auto& routes = services_[std::string(service)];
    if (routes == nullptr) routes = std::make_shared<ServiceRoutes>();
    if (routes->tree.add(method, pattern, std::move(handler))) return Status::ok();
    return {Code::kAlreadyExists, "service '" + std::string(service) + "' has a route '" + std::string(method) + " " +
                                      std::string(pattern) + "' already; give it another path"};
  }

  void remove_all(std::string_view service) {
    std::shared_ptr<ServiceRoutes> removed;  // its handlers die after the lock
    std::unique_lock lock(mutex_);
    const auto at = services_.find(service);
    if (at == services_.end()) return;
    removed = std::move(at->second);
    services_.erase(at);
    finished_.wait_for(lock, std::chrono::seconds(10), [&removed] { return removed->running == 0; });
    lock.unlock();
  }

  const std::vector<std::pair<std::string, std::string>>& routes() const { return routes_; }
  void set_fallback(Fallback fallback) { fallback_ = std::move(fallback); }

 private:
  struct ServiceRoutes {
    RouteTree<Handler> tree;
    std::size_t running = 0;
  };
  /// Counts a handler as running as long as it lives.
  struct Running {
    const Impl& impl;
    std::shared_ptr<ServiceRoutes> routes;
    ~Running() {
      {
        const std::lock_guard lock(impl.mutex_);
        --routes->running;
      }
      impl.finished_.notify_all();
    }
  };

  /// False if the path is not a service's, or only for the methods added to `allowed`.
  bool dispatch_to_service(const std::shared_ptr<HttpRequest>& request, const PathSegments& path, const Respond& respond,
                           std::vector<std::string>& allowed) const {
    const auto index = service_index(path);
    if (!index) return false;
    std::unique_lock lock(mutex_);
    const auto service = services_.find(path[*index]);
    if (service == services_.end()) return false;
    const auto routes = service->second;
    auto found = routes->tree.find(request->method, path, *index + 1);
    allowed.insert(allowed.end(), found.allowed.begin(), found.allowed.end());
    if (found.handler == nullptr) return false;
    const Handler handler = *found.handler;
    ++routes->running;
    const Running running{*this, routes};
    lock.unlock();
    std::string below = path.from(*index + 1);
    if (below.ends_with('/') && found.match.rest.empty()) below.pop_back();
    handler(request, below, found.match.rest, respond);
    return true;
  }

  RouteTree<RouteHandler> tree_;
  std::vector<std::pair<std::string, std::string>> routes_;
  Fallback fallback_ = [](const HttpRequest&, const std::vector<std::string>& allowed) {
    return HttpResponse{.status = allowed.empty() ? 404 : 405, .body = "{}"};
  };
  mutable std::mutex mutex_;  // guards services_ and all in it
  mutable std::condition_variable finished_;
  std::map<std::string, std::shared_ptr<ServiceRoutes>, std::less<>> services_;
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;

void Router::route(std::string_view method, std::string_view pattern, RouteHandler handler) {
  impl_->route(method, pattern, std::move(handler));
}
void Router::set_fallback(Fallback fallback) { impl_->set_fallback(std::move(fallback)); }
void Router::dispatch(std::shared_ptr<HttpRequest> request, std::string_view raw_path, Respond respond) const {
  impl_->dispatch(std::move(request), raw_path, std::move(respond));
}
std::vector<std::pair<std::string, std::string>> Router::routes() const { return impl_->routes(); }
Status Router::add(std::string_view service, std::string_view method, std::string_view pattern, Handler handler) {
  return impl_->add(service, method, pattern, std::move(handler));
}
void Router::remove_all(std::string_view service) { impl_->remove_all(service); }

}  // namespace fermata::rest
