// Serves the status route alone, for rest_vs_nginx.sh: the real router, API, control plane and HTTP server, on stores in
// memory. Usage: bench_rest LOCATIONS; prints the port it listens on, and serves until standard input ends.

#include "rest/api.hpp"
#include "rest/http_server.hpp"
#include "support/fake_driver.hpp"
#include "support/fake_queue.hpp"
#include "support/fakes.hpp"
#include "support/manual_executor.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace fermata;

class NoHost final : public rest::HostView {
 public:
  std::vector<control::PluginView> plugins() const override { return {}; }
  std::vector<std::string> not_ready() const override { return {}; }
  Result<std::vector<pipeline::FailedRecord>> failed(std::string_view, std::string_view, std::string_view, std::size_t) override {
    return std::vector<pipeline::FailedRecord>();
  }
  Result<std::size_t> retry_failed(std::string_view, std::string_view, const std::vector<std::string>&) override { return std::size_t{0}; }
};

control::ServiceSpec crr_with(int locations) {
  control::ServiceSpec spec{"crr", "replication", "backbeat-replication", false, {}};
  for (int i = 0; i < locations; ++i) spec.locations.push_back({.name = "location-" + std::to_string(i)});
  return spec;
}

}  // namespace

int main(int argc, char** argv) {
  const int locations = argc > 1 ? std::atoi(argv[1]) : 3;
  telemetry::Log log({.level = telemetry::Level::kWarn});
  telemetry::Metrics metrics;
  testing::ManualExecutor executor;
  testing::FakeStateStore store(std::make_shared<testing::FakeStateTree>(), executor);
  testing::FakeFanout fanout(std::make_shared<testing::FakeWire>(), executor);
  testing::FakeLeases leases(executor);
  testing::FakeKeyValueStore kv;
  testing::FakeQueue queue(executor);
  testing::FakeDriver driver;
  NoHost host;
  control::ControlPlane control({.node_id = "bench", .node_address = {}, .node_version = {}},
                                {store, fanout, leases, kv, executor, executor, log});
  if (const Status added = control.add_service(crr_with(locations), &driver); !added) return EXIT_FAILURE;
  control.start();
  executor.run_ready();

  rest::Router router;
  rest::add_backbeat_routes(router, {control, host, store, fanout, queue, metrics, executor, executor});
  config::RestConfig config;
  config.port = 0;
  rest::HttpServer server(config, router, log, metrics);
  if (const Status bound = server.listen(); !bound) {
    std::fprintf(stderr, "%s\n", bound.text().c_str());
    return EXIT_FAILURE;
  }
  server.start();
  std::printf("%u\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
  server.stop(std::chrono::seconds(1));
  control.stop();
  return EXIT_SUCCESS;
}
