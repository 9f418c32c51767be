#include "adapters/kafka/kafka.hpp"

#include "adapters/kafka/client_conf.hpp"
#include "adapters/kafka/cluster.hpp"
#include "adapters/kafka/producer.hpp"
#include "adapters/kafka/queue.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace fermata::kafka {
namespace {

constexpr std::array kWeakening = {"acks", "request.required.acks", "enable.idempotence", "auto.offset.reset", "partitioner"};

class NoEvents final : public ClientEvents {
 public:
  using ClientEvents::ClientEvents;
  void on_error(rd_kafka_resp_err_t, std::string_view) override {}
};

/// What only a whole set of properties can have wrong is refused when a client is made of it.
Status check(const Backend::Options& options, telemetry::Log& log) {
  if (options.brokers.empty()) return {Code::kInvalidArgument, "kafka.brokers is empty: name at least one as host:port"};
  if (options.partitions < 1) return {Code::kInvalidArgument, fmt::format("kafka partitions is {}: at least 1", options.partitions)};
  auto conf = make_conf(ClientKind::kConsumer, options, "fermata");
  if (!conf) return conf.status();
  NoEvents events(log);
  return start_client(ClientKind::kConsumer, std::move(*conf), events).status();
}

}  // namespace

class Backend::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {}

  Status open(const Clock& clock, telemetry::Log& log) {
    auto cluster = Cluster::open(options_, clock, log);
    if (!cluster) return cluster.status();
    cluster_ = std::move(*cluster);
    auto producer = Producer::open(options_, *cluster_, log);
    if (!producer) return producer.status();
    producer_ = std::move(*producer);
    queue_.emplace(options_, *cluster_, *producer_, log);
    return Status::ok();
  }

  Queue& queue() { return *queue_; }

 private:
  const Options options_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Producer> producer_;
  std::optional<KafkaQueue> queue_;
};

Result<std::unique_ptr<Backend>> Backend::open(Options options, const Clock& clock, telemetry::Log& log) {
  for (const char* name : kWeakening)
    if (options.properties.count(name) > 0)
      log.warn("kafka", fmt::format("kafka property '{}' may weaken what is promised: no record lost, order per key", name));
  if (Status valid = check(options, log); !valid) return valid;
  auto impl = std::make_unique<Impl>(std::move(options));
  if (Status opened = impl->open(clock, log); !opened) return opened;
  return std::unique_ptr<Backend>(new Backend(std::move(impl)));
}

Backend::Backend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::~Backend() = default;

Queue& Backend::queue() { return impl_->queue(); }

}  // namespace fermata::kafka
