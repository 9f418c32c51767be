// What a consumer tells the brokers, and asks them, beside its membership: offsets.

#include "adapters/kafka/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::kafka {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kLastCommit = 3s;
constexpr auto kLookInterval = 1s;

}  // namespace

std::shared_ptr<KafkaConsumer::Writes> KafkaConsumer::await_writes() {
  auto writes = std::make_shared<Writes>();
  writes->signal = signal_;
  options_.after_writes([writes] {
    writes->durable = true;
    writes->signal->raise();
  });
  return writes;
}

void KafkaConsumer::commit_when_due() {
  while (member_->serve_commits({})) {
  }
  if (!writes_ && committing_ == 0 && dirty_ && steady_clock::now() >= commit_at_) {
    commit_at_ = steady_clock::now() + options_.commit_interval;
    dirty_ = false;  // before looking: what is done from now on sets it again
    {
      const std::lock_guard lock(mutex_);
      waiting_ = partitions_.uncommitted();
    }
    if (!waiting_.empty()) writes_ = await_writes();
  }
  if (!writes_ || !writes_->durable) return;
  writes_.reset();
  start_commit(std::exchange(waiting_, {}));
}

void KafkaConsumer::start_commit(const Offsets& offsets) {
  if (offsets.empty()) return;
  ++committing_;
  member_->commit(offsets);
}

void KafkaConsumer::on_committed(rd_kafka_resp_err_t error, const Offsets& offsets) {
  if (committing_ > 0) --committing_;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    set_part(Status::ok());  // whatever was wrong, the group takes our offsets now
    const std::lock_guard lock(mutex_);
    partitions_.committed(offsets);
    if (!partitions_.uncommitted().empty()) dirty_ = true;  // one partition may have been refused
    return;
  }
  // Most often a rebalance was faster. What is still ours is committed again; the rest is delivered again, elsewhere.
  dirty_ = true;
  log_.debug("kafka", "offsets were not committed", {{"topic", topic_}, {"group", group_}, {"reason", rd_kafka_err2str(error)}});
}

void KafkaConsumer::commit_now(std::span<const std::int32_t> partitions) {
  Offsets offsets;
  {
    const std::lock_guard lock(mutex_);
    offsets = partitions_.uncommitted(partitions);
  }
  if (offsets.empty() || !cluster_.reachable()) return;
  const auto deadline = steady_clock::now() + kLastCommit;
  const auto writes = await_writes();
  while (!writes->durable) {
    if (steady_clock::now() >= deadline) {
      log_.warn("kafka", "offsets were not committed, as writes before them take too long: their records will be delivered again",
                {{"topic", topic_}, {"group", group_}});
      return;
    }
    pollfd wanted = signal_->wanted();
    static_cast<void>(::poll(&wanted, 1, left_ms(deadline)));
    signal_->take();
  }
  start_commit(offsets);
  while (committing_ > 0 && steady_clock::now() < deadline) member_->serve_commits(deadline);
}

void KafkaConsumer::look_when_due() {
  const auto now = steady_clock::now();
  if (now < look_at_ || !cluster_.reachable() || !lag_wanted_.exchange(false)) return;
  look_at_ = now + kLookInterval;
  look();
}

void KafkaConsumer::look() {
  std::vector<std::int32_t> all;
  std::vector<std::int32_t> wanting_begin;
  {
    const std::lock_guard lock(mutex_);
    all = partitions_.all();
    wanting_begin = partitions_.wanting_begin();
  }
  if (all.empty()) return;
  if (auto ends = cluster_.ask_offsets(topic_, all, true)) {
    const std::lock_guard lock(mutex_);
    partitions_.set_ends(*ends);
  }
  if (wanting_begin.empty()) return;
  auto begins = cluster_.ask_offsets(topic_, wanting_begin, false);
  if (!begins) return;
  std::vector<Partitions::Gap> gaps;
  {
    const std::lock_guard lock(mutex_);
    partitions_.set_begins(*begins);
    gaps = partitions_.take_gaps(*begins);
  }
  for (const auto& gap : gaps)
    log_.warn("kafka", "records were removed before this group read them",
              {{"topic", topic_},
               {"group", group_},
               {"partition", std::to_string(gap.partition)},
               {"from_offset", std::to_string(gap.from)},
               {"records", std::to_string(gap.to - gap.from)}});
}

}  // namespace fermata::kafka
