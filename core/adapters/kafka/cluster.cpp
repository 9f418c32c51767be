#include "adapters/kafka/cluster.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

namespace fermata::kafka {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kProbeInterval = 2s;
constexpr auto kProbeAgain = 500ms;  // while the brokers do not answer
constexpr auto kProbeTimeout = 3s;
constexpr auto kFirstProbe = 5s;
constexpr const char* kProbeTopic = "fermata-probe";
constexpr auto kListTimeout = 5s;
constexpr auto kOffsetsTimeout = 500ms;
constexpr auto kTopicPoll = 50ms;
constexpr std::size_t kMaxKnownTopics = 10'000;

TopicInfo to_info(const rd_kafka_metadata_topic& topic, std::string_view name) {
  TopicInfo info{.name = std::string(name), .partitions = {}};
  for (const auto& partition : std::span(topic.partitions, static_cast<std::size_t>(topic.partition_cnt))) {
    const std::span replicas(partition.replicas, static_cast<std::size_t>(partition.replica_cnt));
    const std::span in_sync(partition.isrs, static_cast<std::size_t>(partition.isr_cnt));
    info.partitions.push_back({.id = partition.id,
                               .leader = partition.leader,
                               .replicas = {replicas.begin(), replicas.end()},
                               .in_sync = {in_sync.begin(), in_sync.end()}});
  }
  return info;
}

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::open(const Backend::Options& options, const Clock& clock, telemetry::Log& log) {
  std::unique_ptr<Cluster> cluster(new Cluster(options, clock, log));
  auto conf = make_conf(ClientKind::kAdmin, options);
  if (!conf) return conf.status();
  auto client = start_client(ClientKind::kAdmin, std::move(*conf), *cluster);
  if (!client) return client.status();
  cluster->client_ = std::move(*client);
  cluster->thread_ = std::thread([&self = *cluster] { self.run(); });
  return cluster;
}

Cluster::Cluster(const Backend::Options& options, const Clock& clock, telemetry::Log& log)
    : ClientEvents(log), options_(options), condition_(clock) {
  condition_.set("brokers", {Code::kUnavailable, fmt::format("not connected to {} yet", fmt::join(options.brokers, ", "))});
}

Cluster::~Cluster() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Cluster::on_error(rd_kafka_resp_err_t error, std::string_view reason) {
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return;
  const std::lock_guard lock(mutex_);
  last_reason_ = reason;
}

void Cluster::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    probe();
    lock.lock();
    probed_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, reachable_ ? kProbeInterval : kProbeAgain, [this] { return stop_; });
  }
}

void Cluster::probe() {
  // About a topic that is not there: without one, librdkafka asks for all that it saw lately, and lets the brokers make
  // those that were deleted.
  const TopicHandle nowhere(rd_kafka_topic_new(client_.get(), (options_.topic_prefix + kProbeTopic).c_str(), nullptr));
  auto answer = metadata(nowhere.get(), false, steady_clock::now() + kProbeTimeout);
  rd_kafka_poll(client_.get(), 0);  // log lines and errors
  Status status = answer.status();
  if (!answer) {
    const std::lock_guard lock(mutex_);
    if (!last_reason_.empty()) status = {status.code(), last_reason_};
  }
  reachable_ = answer.is_ok();
  const bool changed = condition_.set("brokers", status);
  if (!changed && (answer || std::exchange(told_, true))) return;
  told_ = true;
  if (answer)
    log().info("kafka", "connected", {{"brokers", fmt::format("{}", fmt::join(options_.brokers, ","))}});
  else
    log().warn("kafka", "brokers do not answer", {{"reason", status.message()}});
}

bool Cluster::wait_for_probe() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kFirstProbe, [this] { return probed_ || stop_; });
  return reachable_;
}

Result<Metadata> Cluster::metadata(rd_kafka_topic_t* topic, bool all, Deadline deadline) {
  const struct rd_kafka_metadata* raw = nullptr;
  const auto error = rd_kafka_metadata(client_.get(), all ? 1 : 0, topic, &raw, left_ms(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return to_status(error, "asking the brokers for metadata");
  return Metadata(raw);
}

bool Cluster::is_known(const std::string& topic) const {
  const std::lock_guard lock(mutex_);
  return known_topics_.count(topic) > 0;
}

Status Cluster::want_topic(const std::string& topic) {
  if (is_known(topic)) return Status::ok();
  if (!wait_for_probe()) return {Code::kUnavailable, fmt::format("topic '{}' cannot be looked up: {}", topic, condition_.get().reason)};
  return ensure_topic(topic, 0);
}

void Cluster::forget_topic(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  known_topics_.erase(topic);
}

Status Cluster::ensure_topic(const std::string& topic, std::int32_t partitions) {
  if (is_known(topic)) return Status::ok();
  const auto deadline = steady_clock::now() + options_.operation_timeout;
  auto there = exists(topic, deadline);
  if (!there) return there.status();
  if (!*there) {
    const int count = partitions > 0 ? partitions : options_.partitions;
    Status made = create(topic, count, options_.replication_factor, deadline);
    // Brokers before 2.4 have no default that a client could ask for.
    if (made.code() == Code::kFailedPrecondition && options_.replication_factor == -1) made = create(topic, count, 1, deadline);
    if (!made) return made;
    if (Status seen = wait_until_there(topic, deadline); !seen) return seen;
  }
  const std::lock_guard lock(mutex_);
  if (known_topics_.size() < kMaxKnownTopics) known_topics_.insert(topic);
  return Status::ok();
}

Result<bool> Cluster::exists(const std::string& topic, Deadline deadline) {
  const TopicHandle handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  if (!handle) return to_status(rd_kafka_last_error(), fmt::format("topic '{}'", topic));
  auto answer = metadata(handle.get(), false, deadline);
  if (!answer) return answer.status();
  if ((*answer)->topic_cnt < 1) return false;
  const auto& found = (*answer)->topics[0];
  switch (found.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return found.partition_cnt > 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return false;
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE: return true;
    default: return to_status(found.err, fmt::format("topic '{}'", topic));
  }
}

Status Cluster::create(const std::string& topic, std::int32_t partitions, int replication_factor, Deadline deadline) {
  const std::string what = fmt::format("making topic '{}' with {} partitions", topic, partitions);
  std::array<char, 256> reason{};
  const NewTopicHandle wanted(rd_kafka_NewTopic_new(topic.c_str(), partitions, replication_factor, reason.data(), reason.size()));
  if (!wanted) return {Code::kInvalidArgument, fmt::format("{}: {}", what, reason.data())};
  const auto retention = std::to_string(options_.retention.count());
  const auto max_bytes = std::to_string(kMaxMessageBytes);
  rd_kafka_NewTopic_set_config(wanted.get(), "retention.ms", retention.c_str());
  rd_kafka_NewTopic_set_config(wanted.get(), "max.message.bytes", max_bytes.c_str());

  const AdminOptions how(rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  const int timeout_ms = std::max(left_ms(deadline), 1);
  rd_kafka_AdminOptions_set_request_timeout(how.get(), timeout_ms, reason.data(), reason.size());
  rd_kafka_AdminOptions_set_operation_timeout(how.get(), timeout_ms, reason.data(), reason.size());
  const QueueHandle answers(rd_kafka_queue_new(client_.get()));
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  rd_kafka_CreateTopics(client_.get(), topics, 1, how.get(), answers.get());
  const Event event(rd_kafka_queue_poll(answers.get(), timeout_ms));
  if (!event) return {Code::kDeadlineExceeded, what + ": no answer"};
  if (const auto error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return to_status(error, what, rd_kafka_event_error_string(event.get()));
  std::size_t count = 0;
  const auto* const* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (const auto* result : std::span(results, count)) {
    const auto error = rd_kafka_topic_result_error(result);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const char* text = rd_kafka_topic_result_error_string(result);
    return to_status(error, what, text == nullptr ? "" : text);
  }
  log().info("kafka", "topic made", {{"topic", topic}, {"partitions", std::to_string(partitions)}});
  return Status::ok();
}

Status Cluster::wait_until_there(const std::string& topic, Deadline deadline) {
  std::unique_lock lock(mutex_);
  while (!stop_ && steady_clock::now() < deadline) {
    lock.unlock();
    auto there = exists(topic, deadline);
    if (there && *there) return Status::ok();
    lock.lock();
    changed_.wait_for(lock, kTopicPoll, [this] { return stop_; });
  }
  return {Code::kUnavailable, fmt::format("topic '{}' was made, but the brokers do not show it yet: try again", topic)};
}

Result<std::vector<TopicInfo>> Cluster::topics() {
  // Whoever asks every second in an outage must not wait each time.
  if (!wait_for_probe()) return Status(Code::kUnavailable, condition_.get().reason);
  auto answer = metadata(nullptr, true, steady_clock::now() + kListTimeout);
  if (!answer) return answer.status();
  const std::string prefix = options_.topic_prefix;
  std::vector<TopicInfo> infos;
  for (const auto& topic : std::span((*answer)->topics, static_cast<std::size_t>((*answer)->topic_cnt))) {
    const std::string_view name = topic.topic;
    if (name.substr(0, 2) == "__" || name.substr(0, prefix.size()) != prefix) continue;
    infos.push_back(to_info(topic, name.substr(prefix.size())));
  }
  std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return infos;
}

Result<Offsets> Cluster::ask_offsets(const std::string& topic, std::span<const std::int32_t> partitions, bool ends) {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  // The brokers take these two for times as well. Unlike questions for watermarks, this is one request to each broker.
  for (const auto partition : partitions)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
        ends ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
  const auto error = rd_kafka_offsets_for_times(client_.get(), list.get(), static_cast<int>(kOffsetsTimeout / 1ms));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return to_status(error, fmt::format("asking for the offsets of topic '{}'", topic));
  return offsets_of(*list);
}

}  // namespace fermata::kafka
