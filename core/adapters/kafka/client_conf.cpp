#include "adapters/kafka/client_conf.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace fermata::kafka {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMinFetchBytes = kMaxMessageBytes;
constexpr std::int64_t kMaxBufferKib = 2'147'483'647;
constexpr int kSyslogWarning = 4;

bool is_secret(std::string_view property) {
  constexpr std::array kWords = {"password", "secret", ".pem", "ssl_", "oauthbearer.config", "username"};
  return std::any_of(kWords.begin(), kWords.end(), [&](const char* word) { return property.find(word) != property.npos; });
}

// What the host itself has to decide: each location is a group, offsets follow what is done.
// And one produce request at a time, see producer_settings().
constexpr std::array kOwn = {"bootstrap.servers",
                             "group.id",
                             "group.instance.id",
                             "enable.auto.commit",
                             "enable.auto.offset.store",
                             "max.in.flight.requests.per.connection",
                             "max.in.flight"};

Status check_own(const Backend::Options& options) {
  for (const char* name : kOwn)
    if (options.properties.count(name) > 0)
      return {Code::kInvalidArgument, fmt::format("kafka property '{}' is set by Fermata; remove it", name)};
  return Status::ok();
}

Settings common_settings(const Backend::Options& options) {
  return {
      {"bootstrap.servers", fmt::format("{}", fmt::join(options.brokers, ","))},
      {"client.id", "fermata@" + options.node_id},
      {"log.queue", "true"},
      {"allow.auto.create.topics", "false"},
      {"log.connection.close", "false"},
      {"socket.keepalive.enable", "true"},
      {"socket.timeout.ms", "30000"},
      {"reconnect.backoff.max.ms", "2000"},
      // How long a topic that the brokers do not know may still be about to show. We wait for those that we make.
      {"topic.metadata.propagation.max.ms", "10000"},
  };
}

Settings producer_settings(const Backend::Options& options) {
  // The producer bounds its buffer itself, before it gives anything away; librdkafka's bounds must never be met first.
  const auto buffer_kib =
      std::min<std::int64_t>(static_cast<std::int64_t>(options.producer_buffer_bytes / 1'024) * 2 + 4'096, kMaxBufferKib);
  return {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      // With more than one, a request that a partition refuses (it was just made, or its leader moves) may be overtaken by the next:
      // brokers take any first sequence number of a producer that they do not know (KAFKA-15591; from 4.5 on no more where there
      // never was a record), and librdkafka then reports the records of the refused one as delivered (confluent-kafka-go issue
      // 921). They would be lost.
      {"max.in.flight.requests.per.connection", "1"},
      {"linger.ms", "5"},
      {"message.timeout.ms", "120000"},  // through a broker's restart
      {"message.max.bytes", std::to_string(kMaxMessageBytes)},
      {"queue.buffering.max.messages", "0"},
      {"queue.buffering.max.kbytes", std::to_string(buffer_kib)},
      // Java clients put a key into the same partition, so that both can write to one topic.
      {"partitioner", "murmur2_random"},
  };
}

Settings consumer_settings(const Backend::Options& options, const std::string& group) {
  // What is queued when a fetch begins plus what it may bring: together the bound.
  const std::size_t half = std::max(options.prefetch_bytes / 2, kMinFetchBytes);
  const auto session_ms = options.session_timeout.count();
  return {
      {"group.id", group},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "earliest"},
      {"session.timeout.ms", std::to_string(session_ms)},
      {"heartbeat.interval.ms", std::to_string(std::clamp<std::int64_t>(session_ms / 4, 1, 1'000))},
      {"max.poll.interval.ms", std::to_string(std::max<std::int64_t>(session_ms, 300'000))},
      {"queued.min.messages", "100000"},
      {"queued.max.messages.kbytes", std::to_string(half / 1'024)},
      {"fetch.message.max.bytes", std::to_string(std::min<std::size_t>(half, 4 * kMinFetchBytes))},
      {"fetch.max.bytes", std::to_string(half)},
      {"message.max.bytes", std::to_string(kMaxMessageBytes)},
      {"receive.message.max.bytes", std::to_string(std::max<std::size_t>(half + (1u << 20), 100'000'000))},
      {"fetch.error.backoff.ms", "100"},
      {"topic.metadata.refresh.interval.ms", "30000"},  // how soon partitions that are added are seen
  };
}

void write_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  auto& log = static_cast<ClientEvents*>(rd_kafka_opaque(client))->log();
  // Lost connections are tried again for ever and each try says so; readiness tells about them once.
  const std::string_view kind = facility;
  const bool chatty = kind == "FAIL" || kind == "ERROR" || kind == "CONFWARN" || kind == "REQTMOUT";
  const bool warns = level <= kSyslogWarning && !chatty;
  log.write(warns ? telemetry::Level::kWarn : telemetry::Level::kDebug, "kafka", text, {{"facility", kind}});
}

void tell_error(rd_kafka_t* client, int error, const char* reason, void* opaque) {
  auto code = static_cast<rd_kafka_resp_err_t>(error);
  std::array<char, 512> fatal{};
  if (code == RD_KAFKA_RESP_ERR__FATAL && rd_kafka_fatal_error(client, fatal.data(), fatal.size()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    reason = fatal.data();
  static_cast<ClientEvents*>(opaque)->on_error(code, reason == nullptr ? "" : reason);
}

}  // namespace

Status set_property(rd_kafka_conf_t& conf, const std::string& name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(&conf, name.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK) return Status::ok();
  return {Code::kInvalidArgument,
          fmt::format("kafka property '{}': {}", name, is_secret(name) ? "its value is not accepted" : reason.data())};
}

std::string get_property(const rd_kafka_conf_t& conf, const char* name) {
  std::size_t size = 0;  // with the terminator
  if (rd_kafka_conf_get(&conf, name, nullptr, &size) != RD_KAFKA_CONF_OK || size <= 1) return {};
  std::string value(size, '\0');
  rd_kafka_conf_get(&conf, name, value.data(), &size);
  value.resize(size - 1);
  return value;
}

Result<Conf> make_conf(ClientKind kind, const Backend::Options& options, const std::string& group) {
  if (Status free = check_own(options); !free) return free;
  Conf conf(rd_kafka_conf_new());
  Settings settings = common_settings(options);
  Settings more;
  if (kind == ClientKind::kProducer) more = producer_settings(options);
  if (kind == ClientKind::kConsumer) more = consumer_settings(options, group);
  settings.insert(settings.end(), more.begin(), more.end());
  settings.insert(settings.end(), options.properties.begin(), options.properties.end());
  for (const auto& [name, value] : settings)
    if (Status set = set_property(*conf, name, value); !set) return set;
  // An idempotent client that only asks would refuse old brokers; the producer does that.
  if (kind == ClientKind::kAdmin)
    if (Status set = set_property(*conf, "enable.idempotence", "false"); !set) return set;
  rd_kafka_conf_set_log_cb(conf.get(), write_log);
  rd_kafka_conf_set_error_cb(conf.get(), tell_error);
  return conf;
}

Result<Client> start_client(ClientKind kind, Conf conf, ClientEvents& events) {
  rd_kafka_conf_set_opaque(conf.get(), &events);
  std::array<char, 512> reason{};
  const auto type = kind == ClientKind::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
  Client client(rd_kafka_new(type, conf.get(), reason.data(), reason.size()));
  if (!client) return Status(Code::kInvalidArgument, fmt::format("kafka properties: {}", reason.data()));
  static_cast<void>(conf.release());  // the client's now
  rd_kafka_set_log_queue(client.get(), nullptr);
  return client;
}

}  // namespace fermata::kafka
