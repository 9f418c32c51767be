#include "rest/v1_api.hpp"

namespace fermata::rest {

void add_v1_routes(Router& router, ApiDependencies dependencies) {
  add_v1_reads(router, dependencies);
  add_v1_changes(router, dependencies);
  add_v1_failed(router, dependencies);
  router.set_fallback(
      [](const HttpRequest& request, const std::vector<std::string>& allowed) { return no_route(request, !allowed.empty()); });
}

}  // namespace fermata::rest
