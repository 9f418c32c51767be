#include "adapters/kafka/member.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::kafka {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kCommittedTimeout = 3s;
constexpr auto kFirstAssignment = 5s;
constexpr int kServeMs = 50;
constexpr int kLeavePollMs = 10;

std::vector<std::int32_t> ids(const rd_kafka_topic_partition_list_t& list) {
  std::vector<std::int32_t> out;
  for (const auto& element : elements(list)) out.push_back(element.partition);
  return out;
}

bool is_cooperative(rd_kafka_t* client) {
  const char* protocol = rd_kafka_rebalance_protocol(client);
  return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
}

}  // namespace

Result<std::unique_ptr<Member>> Member::join(const Backend::Options& options, Setup setup, Handlers handlers, Signal& main, Signal& records,
                                             telemetry::Log& log) {
  std::unique_ptr<Member> member(new Member(std::move(setup), std::move(handlers), log));
  const Setup& wanted = member->setup_;
  auto conf = make_conf(ClientKind::kConsumer, options, wanted.group);
  if (!conf) return conf.status();
  if (!wanted.name.empty())
    if (Status set = set_property(**conf, "group.instance.id", wanted.name); !set) return set;
  if (!wanted.assignors.empty())
    if (Status set = set_property(**conf, "partition.assignment.strategy", wanted.assignors); !set) return set;
  member->user_ = get_property(**conf, "sasl.username");
  member->password_ = get_property(**conf, "sasl.password");
  rd_kafka_conf_set_rebalance_cb(conf->get(), on_rebalance);
  auto client = start_client(ClientKind::kConsumer, std::move(*conf), *member);
  if (!client) return client.status();
  member->client_ = client->release();
  rd_kafka_poll_set_consumer(member->client_);
  member->records_.reset(rd_kafka_queue_new(member->client_));
  member->commits_.reset(rd_kafka_queue_new(member->client_));
  records.raise_for(member->records_.get());
  main.raise_for(member->commits_.get());
  main.raise_for(QueueHandle(rd_kafka_queue_get_consumer(member->client_)).get());
  const PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), wanted.topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto error = rd_kafka_subscribe(member->client_, topics.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return to_status(error, fmt::format("subscribing to topic '{}'", wanted.topic));
  return member;
}

Member::Member(Setup setup, Handlers handlers, telemetry::Log& log)
    : ClientEvents(log), setup_(std::move(setup)), handlers_(std::move(handlers)) {}

Member::~Member() {
  records_.reset();
  commits_.reset();
  if (client_ == nullptr) return;
  if (await_first_assignment())
    rd_kafka_destroy_flags(client_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  else
    log().warn("kafka", "a member that waits for its first assignment is left to itself until this process ends",
               {{"group", setup_.group}});
}

// librdkafka before 2.3 aborts the process when a member with the sticky assignor is destroyed between joining and its first
// assignment (its issue 4312). Who has no member id yet has not joined. @return false if the moment does not pass.
bool Member::await_first_assignment() {
  leaving_ = true;
  const auto deadline = steady_clock::now() + kFirstAssignment;
  const auto joining = [this] {
    const std::unique_ptr<char, decltype(&free)> id(rd_kafka_memberid(client_), free);
    return !assigned_once_ && id != nullptr && *id != '\0';
  };
  while (joining() && steady_clock::now() < deadline) {
    const Message ignored{rd_kafka_consumer_poll(client_, kServeMs)};
  }
  return !joining();
}

void Member::serve() {
  while (const Message message{rd_kafka_consumer_poll(client_, 0)}) {
    // A record here has passed its gate by. Only a new member reads it again, as this one's position is behind it.
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
      on_error(RD_KAFKA_RESP_ERR__FATAL, "a record came on another way than it should");
    else
      on_error(message->err, message->payload == nullptr ? "" : rd_kafka_message_errstr(message.get()));
  }
}

void Member::on_error(rd_kafka_resp_err_t error, std::string_view reason) {
  if (!leaving_) handlers_.on_error(error, reason);
}

std::vector<Message> Member::take(std::size_t max) {
  std::vector<rd_kafka_message_t*> raw(max);
  const auto count = rd_kafka_consume_batch_queue(records_.get(), 0, raw.data(), raw.size());
  if (count <= 0) return {};
  return {raw.begin(), raw.begin() + count};
}

void Member::on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& self = *static_cast<Member*>(static_cast<ClientEvents*>(opaque));
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
    self.assign(*partitions);
  else
    self.revoke(*partitions);
}

// The offsets are asked for here and given to the assignment, also that there are none: what librdkafka would ask for by
// itself it asks for once, and a partition whose coordinator refuses to tell at that moment is then never read (its issue 5586).
void Member::assign(rd_kafka_topic_partition_list_t& partitions) {
  assigned_once_ = true;
  Offsets committed;
  const auto asked = partitions.cnt == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR
                                         : rd_kafka_committed(client_, &partitions, static_cast<int>(kCommittedTimeout / 1ms));
  bool known = asked == RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const auto& element : elements(partitions)) known = known && element.err == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (known) committed = offsets_of(partitions);
  for (auto& element : elements(partitions)) {
    element.err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (element.offset < 0) element.offset = known ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_INVALID;
  }
  gate(partitions);
  if (!leaving_) handlers_.on_assigned(ids(partitions), committed);
  if (is_cooperative(client_))
    static_cast<void>(Error(rd_kafka_incremental_assign(client_, &partitions)));
  else
    rd_kafka_assign(client_, &partitions);
  if (!known) on_error(RD_KAFKA_RESP_ERR__FATAL, "the group's offsets cannot be asked for: joining it anew");
}

// Again at each assignment, as librdkafka forgets it when a partition goes.
void Member::gate(const rd_kafka_topic_partition_list_t& partitions) {
  for (const auto& element : elements(partitions)) {
    const QueueHandle own(rd_kafka_queue_get_partition(client_, element.topic, element.partition));
    if (own) rd_kafka_queue_forward(own.get(), records_.get());
  }
}

void Member::revoke(rd_kafka_topic_partition_list_t& partitions) {
  if (!leaving_) handlers_.on_revoked(ids(partitions), rd_kafka_assignment_lost(client_) != 0);
  if (is_cooperative(client_))
    static_cast<void>(Error(rd_kafka_incremental_unassign(client_, &partitions)));
  else
    rd_kafka_assign(client_, nullptr);
}

void Member::commit(const Offsets& offsets) {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& [partition, offset] : offsets)
    rd_kafka_topic_partition_list_add(list.get(), setup_.topic.c_str(), partition)->offset = offset;
  const auto error = rd_kafka_commit_queue(client_, list.get(), commits_.get(), on_committed, this);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) handlers_.on_committed(error, {});
}

void Member::on_committed(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* offsets, void* opaque) {
  const auto& self = *static_cast<Member*>(opaque);
  self.handlers_.on_committed(error, offsets == nullptr ? Offsets() : offsets_of(*offsets));
}

bool Member::serve_commits(Deadline deadline) { return rd_kafka_queue_poll_callback(commits_.get(), left_ms(deadline)) > 0; }

// Credentials that are set anew, be they the same or of no use, are the one thing that makes librdkafka wake its threads.
void Member::wake_fetchers() { static_cast<void>(Error(rd_kafka_sasl_set_credentials(client_, user_.c_str(), password_.c_str()))); }

bool Member::is_static() const {
  if (setup_.name.empty()) return false;
  // Brokers from 2.3 on name a member after its instance id, older ones after the client's.
  return id().substr(0, setup_.name.size() + 1) == setup_.name + "-";
}

std::string Member::id() const {
  const std::unique_ptr<char, decltype(&free)> id(rd_kafka_memberid(client_), free);
  return id == nullptr ? "" : id.get();
}

void Member::leave(Deadline deadline) {
  leaving_ = true;
  // A client with a name would not leave when it closes, though the brokers may know it by no name: it has to leave first,
  // which it has when it has no id any more.
  rd_kafka_unsubscribe(client_);
  while (!id().empty() && steady_clock::now() < deadline)
    if (const Message message{rd_kafka_consumer_poll(client_, kLeavePollMs)}) on_error(message->err, "");
  const QueueHandle events(rd_kafka_queue_new(client_));
  if (const Error error{rd_kafka_consumer_close_queue(client_, events.get())}; error) return;
  while (rd_kafka_consumer_closed(client_) == 0 && steady_clock::now() < deadline)
    rd_kafka_queue_poll_callback(events.get(), std::min(left_ms(deadline), 100));
}

}  // namespace fermata::kafka
