// How long after the request for a pause is the last record still delivered? Everything between is real: control plane,
// embedded state store with its fsync, gates and pipelines under full load; only HTTP is left out.

#include "adapters/embedded/embedded.hpp"
#include "base/worker_pool.hpp"
#include "control/control_plane.hpp"
#include "pipeline/service_pipelines.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace fermata {
namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// The smallest driver: gates, and nothing else.
class GateDriver final : public control::ServiceDriver {
 public:
  explicit GateDriver(pipeline::ServicePipelines& pipelines) : pipelines_(pipelines) {}
  void apply(std::string_view location, bool paused) override { pipelines_.set_gate(location, !paused); }
  control::LocationObservation observe(std::string_view location) const override {
    const auto counts = pipelines_.counts(location);
    control::LocationObservation observation;
    observation.state = counts.gate_open ? control::ObservedState::kRunning
                        : counts.quiet   ? control::ObservedState::kPaused
                                         : control::ObservedState::kPausing;
    observation.in_flight = counts.in_flight;
    return observation;
  }
  void on_change(std::function<void(std::string_view)> callback) override { pipelines_.on_change(std::move(callback)); }

 private:
  pipeline::ServicePipelines& pipelines_;
};

void require(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "bench_pause: %s\n", status.text().c_str());
  std::exit(1);
}

/// Keeps the topic filled until told to end.
class Feeder {
 public:
  explicit Feeder(Queue& queue) : thread_([this, &queue] { run(queue); }) {}
  ~Feeder() {
    ended_ = true;
    thread_.join();
  }

 private:
  void run(Queue& queue) {
    const std::string value(1'024, 'x');
    for (std::uint64_t n = 0; !ended_; ++n) {
      std::vector<NewRecord> batch;
      for (int i = 0; i < 100; ++i) batch.push_back({"load", std::to_string((n * 100 + static_cast<std::uint64_t>(i)) % 1'000), value});
      std::promise<void> durable;
      const Status taken = queue.produce(std::move(batch), [&durable](const Status&) { durable.set_value(); });
      if (taken) durable.get_future().wait();
    }
  }

  std::atomic<bool> ended_{false};
  std::thread thread_;
};

double milliseconds(Steady::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

void print(const char* what, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
  };
  std::printf("pause: %s p50 %.2f ms, p99 %.2f ms, worst %.2f ms (%zu pauses)\n", what, at(0.5), at(0.99), values.back(), values.size());
}

class PauseBench {
 public:
  explicit PauseBench(const std::string& data_dir)
      : log_({.level = telemetry::Level::kError}), control_pool_("control", 1), workers_("worker", 2) {
    auto backend = embedded::Backend::open({.data_dir = data_dir, .node_id = "bench"}, clock_, log_);
    require(backend.status());
    backend_ = std::move(*backend);
    pipelines_ = std::make_unique<pipeline::ServicePipelines>(
        "bench", "/backbeat/bench", pipeline::PipelineOptions{},
        pipeline::ServicePipelines::Dependencies{backend_->queue(), backend_->kv(), backend_->state(), backend_->leases(), workers_,
                                                 control_pool_, clock_, log_, metrics_});
    require(pipelines_->add_processor(
        {"p", "load", "here", "", 0, [this](const pipeline::DeliveredRecord&, const pipeline::Complete& complete) {
           last_delivery_ = Steady::now().time_since_epoch().count();
           ++delivered_;
           complete(pipeline::Outcome::kDone, {});
         }}));
    driver_ = std::make_unique<GateDriver>(*pipelines_);
    control_ = std::make_unique<control::ControlPlane>(
        control::ControlPlane::Options{.node_id = "bench", .node_address = "none", .node_version = "bench"},
        control::ControlPlane::Dependencies{backend_->state(), backend_->fanout(), backend_->leases(), backend_->kv(), control_pool_,
                                            clock_, log_});
    require(control_->add_service({"bench", "bench", "load", false, {{"here"}}}, driver_.get()));
    require(pipelines_->start());
    control_->start();
  }

  ~PauseBench() {
    control_->stop();
    require(pipelines_->stop(10s));
    control_.reset();
    pipelines_.reset();
    control_pool_.stop();
    workers_.stop();
  }

  void run(int rounds) {
    const Feeder feeder(backend_->queue());
    std::vector<double> to_last_delivery;
    std::vector<double> to_paused;
    std::vector<double> to_first_delivery;
    for (int round = 0; round < rounds; ++round) {
      const auto before = delivered_.load();
      while (delivered_ < before + 200) std::this_thread::yield();
      const auto asked = Steady::now();
      change(control::Change::Kind::kPause);
      std::promise<bool> converged;
      control_->wait_converged("bench", "here", 10s, [&converged](bool value) { converged.set_value(value); });
      if (!converged.get_future().get()) require({Code::kDeadlineExceeded, "not paused within 10 s"});
      to_paused.push_back(milliseconds(Steady::now() - asked));
      const Steady::time_point last{Steady::duration(last_delivery_.load())};
      to_last_delivery.push_back(std::max(0.0, milliseconds(last - asked)));
      const auto held = delivered_.load();
      const auto resumed = Steady::now();
      change(control::Change::Kind::kResume);
      while (delivered_ == held) std::this_thread::yield();
      to_first_delivery.push_back(milliseconds(Steady::now() - resumed));
    }
    print("request to last delivery ", to_last_delivery);
    print("request to seen as paused", to_paused);
    print("resume to first delivery ", to_first_delivery);
  }

 private:
  void change(control::Change::Kind kind) {
    std::promise<Status> answered;
    control::Change change;
    change.kind = kind;
    change.service = "bench";
    change.location = "here";
    control_->change(std::move(change), [&answered](const auto& result) { answered.set_value(result.status()); });
    require(answered.get_future().get());
  }

  SystemClock clock_;
  telemetry::Log log_;
  telemetry::Metrics metrics_;
  std::unique_ptr<embedded::Backend> backend_;
  WorkerPool control_pool_;
  WorkerPool workers_;
  std::unique_ptr<pipeline::ServicePipelines> pipelines_;
  std::unique_ptr<GateDriver> driver_;
  std::unique_ptr<control::ControlPlane> control_;
  std::atomic<Steady::rep> last_delivery_{0};
  std::atomic<std::int64_t> delivered_{0};
};

}  // namespace
}  // namespace fermata

int main() {
  char folder[] = "/tmp/fermata-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  fermata::PauseBench(folder).run(500);
  std::filesystem::remove_all(folder);
}
