#include "adapters/kafka/consumer.hpp"

#include "base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace fermata::kafka {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// A member has to be served that often, though nothing happens.
constexpr auto kMaxWait = 1s;
constexpr auto kJoinAgain = 500ms;
constexpr std::chrono::milliseconds kJoinFirst = 1s;
constexpr std::chrono::milliseconds kJoinMax = 30s;
constexpr auto kLeave = 3s;
constexpr std::size_t kBatch = 500;

// A group of ours alone moves partitions without stopping the others; one with members that cannot (as Backbeat's) as they do.
constexpr const char* kCooperative = "cooperative-sticky";
constexpr const char* kEager = "range,roundrobin";
constexpr const char* kAssignorProperty = "partition.assignment.strategy";

QueueRecord to_record(const rd_kafka_message_t& message) {
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, nullptr);
  QueueRecord record{.partition = message.partition,
                     .offset = message.offset,
                     .timestamp_ms = std::max<std::int64_t>(timestamp, 0),
                     .key = {},
                     .value = {}};
  if (message.key_len > 0) record.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.len > 0) record.value.assign(static_cast<const char*>(message.payload), message.len);
  return record;
}

std::string text_of(std::span<const std::int32_t> partitions) {
  std::string out;
  for (const auto partition : partitions) out += fmt::format("{}{}", out.empty() ? "" : ",", partition);
  return out;
}

}  // namespace

KafkaConsumer::KafkaConsumer(const Backend::Options& options, Cluster& cluster, telemetry::Log& log, std::string topic, std::string group,
                             MemberNames::Name name, Events events)
    : options_(options),
      cluster_(cluster),
      log_(log),
      topic_(std::move(topic)),
      group_(std::move(group)),
      part_(fmt::format("consumer of topic '{}' in group '{}'", topic_, group_)),
      name_(std::move(name)),
      events_(std::move(events)),
      assignors_(options.properties.count(kAssignorProperty) > 0 ? "" : kCooperative),
      thread_([this] { run(); }) {}

KafkaConsumer::~KafkaConsumer() {
  stop_ = true;
  signal_->raise();
  thread_.join();
}

void KafkaConsumer::run() {
  while (!stop_) {
    if (!member_ && steady_clock::now() >= join_at_) try_to_join();
    wait();
    ring();
    if (!member_) continue;
    member_->serve();
    tell_partition_error();
    if (reading_.exchange(false)) set_part(Status::ok());
    ring();
    commit_when_due();
    look_when_due();
    if (!broken_) drop_member();
  }
  close();
}

void KafkaConsumer::wait() {
  Time until = steady_clock::now() + kMaxWait;
  if (!member_) until = std::min(until, join_at_);
  if (dirty_ && !writes_ && committing_ == 0) until = std::min(until, commit_at_);
  std::array wanted = {signal_->wanted(), records_signal_.wanted()};
  static_cast<void>(::poll(wanted.data(), wanted.size(), left_ms(until)));
  signal_->take();
  if (records_signal_.take() && bell_armed_.exchange(false)) bell_due_ = true;
}

void KafkaConsumer::ring() {
  if (bell_due_.exchange(false) && events_.on_ready) events_.on_ready();
}

void KafkaConsumer::try_to_join() {
  join_at_ = steady_clock::now() + kJoinAgain;
  if (Status there = cluster_.want_topic(topic_); !there) {
    if (!there.retryable()) set_part(there);
    return;
  }
  auto member =
      Member::join(options_, {.topic = topic_, .group = group_, .name = options_.static_membership ? *name_ : "", .assignors = assignors_},
                   {.on_assigned = [this](auto partitions, const auto& committed) { on_assigned(partitions, committed); },
                    .on_revoked = [this](auto partitions, bool lost) { on_revoked(partitions, lost); },
                    .on_committed = [this](auto error, const auto& offsets) { on_committed(error, offsets); },
                    .on_error = [this](auto error, auto reason) { on_error(error, reason); }},
                   *signal_, records_signal_, log_);
  if (!member) return set_part(member.status());
  const std::lock_guard lock(mutex_);
  member_ = std::move(*member);
}

// Without commits: whoever made the member useless may have given its partitions away.
void KafkaConsumer::drop_member() {
  std::vector<std::int32_t> all;
  {
    const std::lock_guard lock(mutex_);
    all = partitions_.all();
  }
  if (!all.empty()) on_revoked(all, true);
  writes_.reset();
  committing_ = 0;
  broken_ = Status::ok();
  std::unique_ptr<Member> member;
  const std::lock_guard lock(mutex_);
  stash_.clear();
  member = std::move(member_);
}

void KafkaConsumer::close() {
  cluster_.condition().forget(part_);
  if (!member_) return;
  std::vector<std::int32_t> all;
  std::unique_ptr<Member> member;
  {
    const std::lock_guard lock(mutex_);
    all = partitions_.all();
    stash_.clear();
  }
  commit_now(all);
  // A static member stays one: it will be back, or its partitions go to others after the session timeout.
  if (!member_->is_static() && cluster_.reachable()) member_->leave(steady_clock::now() + kLeave);
  const std::lock_guard lock(mutex_);
  member = std::move(member_);
}

void KafkaConsumer::set_part(const Status& status) {
  if (!cluster_.condition().set(part_, status)) return;
  if (status)
    log_.info("kafka", "consumer is well again", {{"topic", topic_}, {"group", group_}});
  else
    log_.warn("kafka", "consumer in trouble", {{"topic", topic_}, {"group", group_}, {"reason", status.message()}});
}

// Only a membership that lasted makes the next attempt a first one: two processes with one name throw each other out.
void KafkaConsumer::give_up(const Status& why) {
  broken_ = why;
  if (steady_clock::now() - joined_at_ > kJoinMax) failed_joins_ = 0;
  join_at_ = steady_clock::now() + backoff(++failed_joins_, kJoinFirst, kJoinMax);
}

void KafkaConsumer::on_error(rd_kafka_resp_err_t error, std::string_view reason) {
  const Status status = to_status(error, "reading", reason);
  switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT: return;  // the cluster tells, and librdkafka tries again
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
      return log_.warn("kafka", "this process stood still: its partitions went to others", {{"topic", topic_}, {"group", group_}});
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      if (assignors_.empty()) break;
      give_up(status);
      assignors_ = assignors_ == kCooperative ? kEager : kCooperative;
      log_.info("kafka", "other members of the group divide partitions in another way: joining as they do",
                {{"topic", topic_}, {"group", group_}, {"strategy", assignors_}});
      return;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: cluster_.forget_topic(topic_); [[fallthrough]];
    case RD_KAFKA_RESP_ERR__FATAL: give_up(status); break;
    default: break;
  }
  set_part(status);
}

void KafkaConsumer::on_assigned(std::span<const std::int32_t> partitions, const Offsets& committed) {
  {
    const std::lock_guard lock(mutex_);
    partitions_.assign(partitions, committed);
  }
  joined_at_ = steady_clock::now();
  look_at_ = {};
  set_part(Status::ok());
  log_.debug("kafka", "partitions assigned", {{"topic", topic_}, {"group", group_}, {"partitions", text_of(partitions)}});
  if (events_.on_assigned && !partitions.empty()) events_.on_assigned(partitions);
}

void KafkaConsumer::on_revoked(std::span<const std::int32_t> partitions, bool lost) {
  {
    const std::lock_guard lock(mutex_);
    partitions_.start_leaving(partitions);
    std::erase_if(stash_, [&](const Message& message) { return !partitions_.has(message->partition); });
  }
  stale_ = true;
  log_.debug("kafka", lost ? "partitions lost" : "partitions revoked",
             {{"topic", topic_}, {"group", group_}, {"partitions", text_of(partitions)}});
  if (events_.on_revoked && !partitions.empty()) events_.on_revoked(partitions);
  if (!lost) commit_now(partitions);
  for (const auto partition : partitions) waiting_.erase(partition);
  const std::lock_guard lock(mutex_);
  partitions_.remove(partitions);
}

bool KafkaConsumer::refill_stash(std::size_t max) {
  for (auto& message : member_->take(std::min(max, kBatch))) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      partition_error_.emplace(message->err, rd_kafka_message_errstr(message.get()));
    else
      stash_.push_back(std::move(message));
  }
  if (partition_error_) signal_->raise();
  return !stash_.empty();
}

Result<std::vector<QueueRecord>> KafkaConsumer::poll(std::size_t max_records, std::size_t max_bytes) {
  std::vector<QueueRecord> records;
  const std::lock_guard lock(mutex_);
  if (!gate_open_ || max_records == 0) return records;
  bell_armed_ = true;  // before looking, so that what comes while looking rings
  std::size_t bytes = 0;
  while (records.size() < max_records && (!stash_.empty() || (member_ && refill_stash(max_records - records.size())))) {
    const rd_kafka_message_t& message = *stash_.front();
    const std::size_t size = message.key_len + message.len;
    if (!records.empty() && bytes + size > max_bytes) break;
    const auto fit = partitions_.take(message.partition, message.offset);
    if (fit == Partitions::Fit::kNext) {
      bytes += size;
      records.push_back(to_record(message));
    } else if (fit == Partitions::Fit::kBackward) {
      partition_error_.emplace(RD_KAFKA_RESP_ERR__STATE,
                               fmt::format("partition {} went back to offset {}", message.partition, message.offset));
      signal_->raise();
      break;
    }
    stash_.pop_front();
  }
  if (!records.empty()) {
    bell_armed_ = false;
    reading_ = true;
  }
  taken_bytes_ += bytes;
  if (member_ && (taken_bytes_ > options_.prefetch_bytes / 8 || (records.empty() && stale_.exchange(false)))) {
    taken_bytes_ = 0;
    member_->wake_fetchers();
  }
  return records;
}

void KafkaConsumer::tell_partition_error() {
  std::optional<std::pair<rd_kafka_resp_err_t, std::string>> error;
  {
    const std::lock_guard lock(mutex_);
    error.swap(partition_error_);
  }
  if (!error) return;
  if (error->first != RD_KAFKA_RESP_ERR__STATE) return on_error(error->first, error->second);
  // To whoever keeps account of offsets these are new partitions.
  log_.warn("kafka", "a partition was truncated or made anew: joining anew",
            {{"topic", topic_}, {"group", group_}, {"reason", error->second}});
  give_up({Code::kUnavailable, error->second});
}

void KafkaConsumer::set_gate(bool open) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(gate_open_, open) == open || !open) return;
  bell_due_ = true;
  signal_->raise();
}

void KafkaConsumer::commit(std::span<const PartitionOffset> offsets) {
  const std::lock_guard lock(mutex_);
  for (const auto& [partition, offset] : offsets) partitions_.done(partition, offset);
  if (!dirty_.exchange(true)) signal_->raise();
}

std::int64_t KafkaConsumer::lag() const {
  lag_wanted_ = true;
  const std::lock_guard lock(mutex_);
  return partitions_.lag();
}

}  // namespace fermata::kafka
