#pragma once

#include "adapters/kafka/handles.hpp"
#include "adapters/kafka/kafka.hpp"
#include "telemetry/log.hpp"

#include <string>
#include <string_view>

namespace fermata::kafka {

/// The most a record may have, key and value together; topics that we make allow it.
constexpr std::size_t kMaxRecordBytes = 1u << 20;
/// The same with what Kafka adds to a record that is alone in its batch.
constexpr std::size_t kMaxMessageBytes = kMaxRecordBytes + (64u << 10);

/// What a client tells besides records. Called by whoever polls the client's main queue, never by a thread of librdkafka.
class ClientEvents {
 public:
  explicit ClientEvents(telemetry::Log& log) : log_(log) {}
  virtual ~ClientEvents() = default;
  ClientEvents(const ClientEvents&) = delete;
  ClientEvents& operator=(const ClientEvents&) = delete;

  /// @param error  RD_KAFKA_RESP_ERR__FATAL: the client is of no use any more.
  virtual void on_error(rd_kafka_resp_err_t error, std::string_view reason) = 0;

  telemetry::Log& log() { return log_; }

 private:
  telemetry::Log& log_;
};

enum class ClientKind { kAdmin, kProducer, kConsumer };

/// How a client of this kind is set up, `options.properties` last.
/// @param group  kConsumer: its group.
/// @return kInvalidArgument naming the property that librdkafka refuses, never a secret's value.
Result<Conf> make_conf(ClientKind kind, const Backend::Options& options, const std::string& group = {});

/// For what depends on the member. @return the same error.
Status set_property(rd_kafka_conf_t& conf, const std::string& name, const std::string& value);

std::string get_property(const rd_kafka_conf_t& conf, const char* name);

/// Starts a client that reports to `events`, which outlives it. @return kInvalidArgument if its properties contradict each other.
Result<Client> start_client(ClientKind kind, Conf conf, ClientEvents& events);

}  // namespace fermata::kafka
