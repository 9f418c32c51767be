#include "adapters/kafka/producer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace fermata::kafka {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr int kPollMs = 200;
constexpr auto kPurgeTimeout = 2s;
constexpr std::chrono::seconds kReplaceMax = 30s;
const std::string kPart = "producer";
constexpr std::size_t kRecordOverhead = 100;

}  // namespace

/// One client and its topics.
struct Producer::Session {
  Client client;
  std::mutex mutex;  // guards topics
  std::map<std::string, TopicHandle, std::less<>> topics;

  rd_kafka_topic_t* topic(const std::string& name) {
    const std::lock_guard lock(mutex);
    auto& handle = topics[name];
    if (!handle) handle.reset(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
    return handle.get();
  }
};

/// The records of one produce call, kept until all of them, and the writes before them, are acknowledged.
class Producer::Batch {
 public:
  Batch(std::uint64_t id, std::vector<NewRecord> records, std::size_t bytes, Queue::Produced produced)
      : id_(id), records_(std::move(records)), bytes_(bytes), produced_(std::move(produced)), waiting_(records_.size() + 2) {}

  std::uint64_t id() const { return id_; }
  std::size_t bytes() const { return bytes_; }
  const std::vector<NewRecord>& records() const { return records_; }

  void fail(rd_kafka_resp_err_t error) {
    int none = RD_KAFKA_RESP_ERR_NO_ERROR;
    error_.compare_exchange_strong(none, error);
  }
  /// @return true for the last one of: each record, the writes before them, the call that handed them over.
  bool release() { return waiting_.fetch_sub(1) == 1; }
  void answer() {
    if (!produced_) return;
    const auto error = static_cast<rd_kafka_resp_err_t>(error_.load());
    produced_(to_status(error, fmt::format("producing to topic '{}'", records_.empty() ? "" : records_.front().topic)));
  }

 private:
  const std::uint64_t id_;
  const std::vector<NewRecord> records_;
  const std::size_t bytes_;
  const Queue::Produced produced_;
  std::atomic<std::size_t> waiting_;
  std::atomic<int> error_{RD_KAFKA_RESP_ERR_NO_ERROR};
};

/// The batches that were taken and not answered. Threads: [any].
class Producer::Outstanding {
 public:
  Batch& add(std::vector<NewRecord> records, std::size_t bytes, Queue::Produced produced) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t id = ++last_id_;
    return *live_.emplace(id, std::make_unique<Batch>(id, std::move(records), bytes, std::move(produced))).first->second;
  }

  void release(Batch& batch) {
    if (!batch.release()) return;
    const std::lock_guard lock(mutex_);
    finish(live_.find(batch.id()));
  }

  /// The writes before the batch are durable; it may be gone.
  void written(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(id);
    if (found != live_.end() && found->second->release()) finish(found);
  }

  /// Nothing of it was handed over, so it is not answered.
  void withdraw(Batch& batch) {
    const std::lock_guard lock(mutex_);
    live_.erase(batch.id());
  }

  /// Raised when there is something to take.
  Signal& signal() { return signal_; }

  std::vector<std::unique_ptr<Batch>> take_done() {
    const std::lock_guard lock(mutex_);
    return std::exchange(done_, {});
  }

  bool wait_empty(steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return empty_.wait_until(lock, deadline, [this] { return live_.empty(); });
  }

  /// Fails all that is left, whose records the client has no more.
  void fail_all() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, batch] : live_) {
      batch->fail(RD_KAFKA_RESP_ERR__DESTROY);
      done_.push_back(std::move(batch));
    }
    live_.clear();
  }

 private:
  using Live = std::unordered_map<std::uint64_t, std::unique_ptr<Batch>>;

  void finish(Live::iterator batch) {
    done_.push_back(std::move(batch->second));
    live_.erase(batch);
    if (live_.empty()) empty_.notify_all();
    signal_.raise();
  }

  std::mutex mutex_;  // guards all below
  std::condition_variable empty_;
  std::uint64_t last_id_ = 0;
  Live live_;
  std::vector<std::unique_ptr<Batch>> done_;
  Signal signal_;
};

Result<std::unique_ptr<Producer>> Producer::open(const Backend::Options& options, Cluster& cluster, telemetry::Log& log) {
  std::unique_ptr<Producer> producer(new Producer(options, cluster, log));
  if (Status started = producer->start(); !started) return started;
  producer->thread_ = std::thread([&self = *producer] { self.run(); });
  return producer;
}

Producer::Producer(const Backend::Options& options, Cluster& cluster, telemetry::Log& log)
    : ClientEvents(log), options_(options), cluster_(cluster), outstanding_(std::make_shared<Outstanding>()) {}

// What waits for nothing but after_writes waits for it here, too: the caller was not told yet.
Producer::~Producer() {
  if (!thread_.joinable()) return;
  outstanding_->wait_empty(steady_clock::now() + options_.operation_timeout);
  stop_ = true;
  thread_.join();
}

Status Producer::start() {
  auto conf = make_conf(ClientKind::kProducer, options_);
  if (!conf) return conf.status();
  rd_kafka_conf_set_dr_msg_cb(conf->get(), on_delivered);
  auto client = start_client(ClientKind::kProducer, std::move(*conf), *this);
  if (!client) return client.status();
  auto session = std::make_unique<Session>();
  session->client = std::move(*client);
  outstanding_->signal().raise_for(QueueHandle(rd_kafka_queue_get_main(session->client.get())).get());
  const std::unique_lock lock(session_mutex_);
  session_ = std::move(session);
  return Status::ok();
}

void Producer::on_error(rd_kafka_resp_err_t error, std::string_view reason) {
  if (error != RD_KAFKA_RESP_ERR__FATAL) return;
  const bool too_old = reason.find("0.11") != reason.npos;
  fatal_ = {too_old ? Code::kFailedPrecondition : Code::kUnavailable,
            too_old ? "the Kafka brokers are too old: 0.11 or later is needed" : std::string(reason)};
}

void Producer::on_delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& self = *static_cast<Producer*>(static_cast<ClientEvents*>(opaque));
  auto& batch = *static_cast<Batch*>(message->_private);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    batch.fail(message->err);
    if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
      self.cluster_.forget_topic(rd_kafka_topic_name(message->rkt));
  }
  self.outstanding_->release(batch);
}

void Producer::run() {
  pollfd wanted = outstanding_->signal().wanted();
  while (!stop_) {
    static_cast<void>(::poll(&wanted, 1, kPollMs));
    outstanding_->signal().take();
    if (session_)
      serve();
    else if (steady_clock::now() >= replace_at_)
      replace();
    settle();
  }
  discard();
  settle();
}

void Producer::serve() {
  rd_kafka_poll(session_->client.get(), 0);
  if (fatal_) return;
  log().error("kafka", "the producer cannot go on and is replaced", {{"reason", fatal_.message()}});
  cluster_.condition().set(kPart, fatal_);
  discard();
  replace_at_ = steady_clock::now() + pause_;
  pause_ = std::min(pause_ * 2, kReplaceMax);
}

// What the client has is taken from it and fails. Nobody gives it more: they see that session_ is null.
void Producer::discard() {
  std::unique_ptr<Session> session;
  {
    const std::unique_lock lock(session_mutex_);
    session = std::move(session_);
    unusable_ = fatal_ ? Status(Code::kUnavailable, "the producer is closed") : fatal_;
  }
  if (session) {
    rd_kafka_purge(session->client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    const auto deadline = steady_clock::now() + kPurgeTimeout;
    while (rd_kafka_outq_len(session->client.get()) > 0 && steady_clock::now() < deadline) rd_kafka_poll(session->client.get(), 10);
  }
  session.reset();
  outstanding_->fail_all();
}

void Producer::replace() {
  fatal_ = Status::ok();
  if (Status started = start(); !started) {
    replace_at_ = steady_clock::now() + pause_;
    return;
  }
  cluster_.condition().forget(kPart);
}

void Producer::settle() {
  for (const auto& batch : outstanding_->take_done()) {
    buffered_bytes_ -= batch->bytes();
    batch->answer();
  }
}

Status Producer::prepare(const std::vector<NewRecord>& records, std::size_t& bytes) {
  bytes = kRecordOverhead;
  const std::string* known = nullptr;
  for (const auto& record : records) {
    const std::size_t size = record.key.size() + record.value.size();
    if (size > kMaxRecordBytes)
      return {Code::kInvalidArgument,
              fmt::format("a record of {} bytes for topic '{}', of at most {}", size, record.topic, kMaxRecordBytes)};
    bytes += size + kRecordOverhead;
    if (known != nullptr && *known == record.topic) continue;
    if (Status there = cluster_.want_topic(record.topic); !there) return there;
    known = &record.topic;
  }
  return Status::ok();
}

Status Producer::reserve(std::size_t bytes) {
  std::size_t buffered = buffered_bytes_;
  do {
    // A batch that is larger than the whole buffer passes when nothing else waits.
    if (buffered > 0 && buffered + bytes > options_.producer_buffer_bytes)
      return {Code::kResourceExhausted,
              fmt::format("{} bytes wait to be produced, of at most {}: try later", buffered, options_.producer_buffer_bytes)};
  } while (!buffered_bytes_.compare_exchange_weak(buffered, buffered + bytes));
  return Status::ok();
}

Status Producer::produce(std::vector<NewRecord> records, Queue::Produced produced) {
  std::size_t bytes = 0;
  if (Status fine = prepare(records, bytes); !fine) return fine;
  if (Status room = reserve(bytes); !room) return room;
  Batch& batch = outstanding_->add(std::move(records), bytes, std::move(produced));
  const std::uint64_t id = batch.id();
  Status taken = hand_over(batch);
  if (taken)
    options_.after_writes([outstanding = outstanding_, id] { outstanding->written(id); });
  else
    buffered_bytes_ -= bytes;
  return taken;
}

Status Producer::hand_over(Batch& batch) {
  const std::shared_lock lock(session_mutex_);
  if (!session_) {
    outstanding_->withdraw(batch);
    return unusable_;
  }
  const std::string* topic_name = nullptr;
  rd_kafka_topic_t* topic = nullptr;
  for (const auto& record : batch.records()) {
    if (topic_name == nullptr || *topic_name != record.topic) {
      topic_name = &record.topic;
      topic = session_->topic(record.topic);
    }
    // Without flags the value stays where it is; librdkafka only reads it. A key that is empty is a key as well.
    auto* value = const_cast<char*>(record.value.data());
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, value, record.value.size(), record.key.data(), record.key.size(), &batch) == 0)
      continue;
    batch.fail(rd_kafka_last_error());
    outstanding_->release(batch);
  }
  outstanding_->release(batch);
  return Status::ok();
}

}  // namespace fermata::kafka
