#include "plugin/interface_call.hpp"

#include <fermata/abi/http.h>
#include <fmt/format.h>

#include <memory>

namespace fermata::plugin {
namespace {

// What the plugin gets is its first member, so that `header`, which is given only that, finds the rest.
struct Request {
  fermata_request raw;
  const HttpRequest* request;
};

struct Route {
  HostBridge& bridge;
  std::string what;  // for messages
  fermata_handler handler;
  void* ctx;
};

fermata_code header(const fermata_request* raw, fermata_str name, fermata_sink sink, void* sink_ctx) {
  const auto* request = reinterpret_cast<const Request*>(raw)->request;
  const auto value = request->header ? request->header(sdk::from_abi(name)) : std::nullopt;
  if (!value) return FERMATA_NOT_FOUND;
  sink(sink_ctx, sdk::to_abi(*value));
  return FERMATA_OK;
}

HttpResponse failed_response() {
  return {500, "application/json", R"({"InternalError":true,"code":500,"description":"the plugin failed; see the log"})"};
}

// A request on its way to the handler. Neither the route nor, once the gate is closed, the bridge need still be there.
struct Call {
  std::shared_ptr<const Route> route;
  std::shared_ptr<const HttpRequest> request;
  std::string path;
  std::string rest;
  fermata_exchange* exchange;
};

void call_handler(const Call& call) {
  const Route& route = *call.route;
  const HttpRequest& request = *call.request;
  const Request given = {{sizeof(fermata_request), 0, sdk::to_abi(request.method), sdk::to_abi(call.path), sdk::to_abi(call.rest),
                          sdk::to_abi(request.query), sdk::to_abi(request.body), &header},
                         &request};
  const auto handled = fenced(route.what, [&] {
    route.handler(route.ctx, &given.raw, call.exchange);
    return Status::ok();
  });
  if (handled) return;
  route.bridge.log_error(handled.message());
  if (const auto open = route.bridge.exchanges.take(call.exchange)) (*open)(failed_response());
}

void run_handler(HostBridge& bridge, const Call& call) {
  if (bridge.serving_routes) return call_handler(call);
  if (const auto open = bridge.exchanges.take(call.exchange)) (*open)(unavailable_response(bridge.service));
}

// On a REST thread, which must not wait for a plugin. The exchange is opened here, so that the end of the service answers
// requests whose turn has not come, too.
void handle(std::shared_ptr<const Route> route, std::shared_ptr<const HttpRequest> request, std::string_view path, std::string_view rest,
            Respond respond) {
  HostBridge& bridge = route->bridge;
  const CallGate::Pass pass(*bridge.into_plugin);
  if (!pass || !bridge.serving_routes) return respond(unavailable_response(bridge.service));
  fermata_exchange* const exchange = bridge.exchanges.add(std::move(respond));
  bridge.handlers.post([gate = bridge.into_plugin, &bridge,
                        call = Call{std::move(route), std::move(request), std::string(path), std::string(rest), exchange}] {
    const CallGate::Pass inside(*gate);
    if (inside) run_handler(bridge, call);
  });
}

fermata_code add_route(void* host, fermata_str method, fermata_str pattern, fermata_handler handler, void* ctx, fermata_error* error) {
  return enter_host(host, error, [&](HostBridge& bridge) -> Status {
    const std::string what = fmt::format("route {} {}", sdk::from_abi(method), sdk::from_abi(pattern));
    if (!bridge.registering) return {Code::kFailedPrecondition, fmt::format("{} is added after init; add it within init", what)};
    if (handler == nullptr) return {Code::kInvalidArgument, fmt::format("{} has no handler", what)};
    return bridge.deps.routes.add(bridge.service, sdk::from_abi(method), sdk::from_abi(pattern),
                                  [route = std::make_shared<const Route>(Route{bridge, bridge.describe(what), handler, ctx})](
                                      std::shared_ptr<const HttpRequest> request, std::string_view path, std::string_view rest,
                                      Respond respond) { handle(route, std::move(request), path, rest, std::move(respond)); });
  });
}

void respond(void* host, fermata_exchange* exchange, std::int32_t status, fermata_str content_type, fermata_str body) {
  enter_host(host, [&](HostBridge& bridge) {
    const auto open = bridge.exchanges.take(exchange);
    if (!open) return bridge.log_error(bridge.describe("it answered a request that is not open (twice, or of another instance); ignored"));
    if (status >= 200 && status <= 599) return (*open)({status, text_of(content_type), text_of(body)});
    bridge.log_error(bridge.describe(fmt::format("it answered a request with status {}, which is not one of 200 to 599", status)));
    (*open)(failed_response());
  });
}

constexpr fermata_http_api kTable = {sizeof(fermata_http_api), &add_route, &respond};

}  // namespace

const void* http_interface() { return &kTable; }

}  // namespace fermata::plugin
