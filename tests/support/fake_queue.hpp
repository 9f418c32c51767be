#pragma once

#include "base/executor.hpp"
#include "base/strand.hpp"
#include "ports/queue.hpp"

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fermata::testing {

/// A Queue in memory: topics, partitions, consumer groups that rebalance, and faults on demand.
///
/// Events and acknowledgements run as tasks of `executor`, one at a time. Commits are visible at once. A partition's
/// records are polled only between the return of on_assigned and the call of on_revoked.
/// Threads: [any]. Lifetime: consumers may outlive the queue, the executor outlives both.
class FakeQueue final : public Queue {
 public:
  explicit FakeQueue(Executor& executor, std::int32_t partitions = 4)
      : state_(std::make_shared<State>(executor)), default_partitions_(partitions) {}

  // Faults and views for tests.

  /// While set, everything fails with kUnavailable and this reason. Setting "" rings the bells.
  void set_down(std::string reason) {
    const std::lock_guard lock(state_->mutex);
    state_->down = std::move(reason);
    if (!state_->down.empty()) return;
    for (auto& [name, group] : state_->groups)
      for (const auto& member : group.members) State::ring_if_due(state_, member);
  }
  /// The next `count` batches fail, after they were taken, with `status`.
  void fail_produce(int count, Status status) {
    const std::lock_guard lock(state_->mutex);
    state_->failures = {count, std::move(status)};
  }
  /// The next `count` batches are refused with kResourceExhausted.
  void refuse_produce(int count) {
    const std::lock_guard lock(state_->mutex);
    state_->refusals = count;
  }
  /// While held, batches are taken but neither appended nor acknowledged. Releasing does both.
  void hold_produce(bool held) {
    const std::lock_guard lock(state_->mutex);
    state_->held = held;
    if (held) return;
    for (auto& task : std::exchange(state_->waiting, {})) state_->strand.post(std::move(task));
  }
  /// Takes partitions from the group's members, as if a member elsewhere got them.
  void revoke(std::string_view topic, std::string_view group, const std::vector<std::int32_t>& partitions) {
    const std::lock_guard lock(state_->mutex);
    const GroupName name{std::string(topic), std::string(group)};
    state_->groups[name].elsewhere.insert(partitions.begin(), partitions.end());
    State::post_rebalance(state_, name);
  }
  /// Gives them back.
  void assign(std::string_view topic, std::string_view group, const std::vector<std::int32_t>& partitions) {
    const std::lock_guard lock(state_->mutex);
    const GroupName name{std::string(topic), std::string(group)};
    for (const auto partition : partitions) state_->groups[name].elsewhere.erase(partition);
    State::post_rebalance(state_, name);
  }
  /// The group's offset as another member would commit it.
  void set_committed(std::string_view topic, std::string_view group, std::int32_t partition, std::int64_t offset) {
    const std::lock_guard lock(state_->mutex);
    state_->groups[{std::string(topic), std::string(group)}].committed[partition] = offset;
  }
  std::int64_t committed(std::string_view topic, std::string_view group, std::int32_t partition) const {
    const std::lock_guard lock(state_->mutex);
    return State::committed_offset(state_->groups[{std::string(topic), std::string(group)}], partition);
  }
  /// How often the group's consumers called commit.
  int commits(std::string_view topic, std::string_view group) const {
    const std::lock_guard lock(state_->mutex);
    return state_->groups[{std::string(topic), std::string(group)}].commits;
  }
  /// Appends at once, whatever the faults. @return partition and offset.
  std::pair<std::int32_t, std::int64_t> append(std::string_view topic, std::string key, std::string value) {
    const std::lock_guard lock(state_->mutex);
    return State::append(state_, {std::string(topic), std::move(key), std::move(value)}, default_partitions_);
  }
  /// The timestamp of records that are appended from now on; 0 at first.
  void stamp(std::int64_t timestamp_ms) {
    const std::lock_guard lock(state_->mutex);
    state_->timestamp_ms = timestamp_ms;
  }
  /// Everything in the topic, by partition and offset.
  std::vector<QueueRecord> records(std::string_view topic) const {
    const std::lock_guard lock(state_->mutex);
    std::vector<QueueRecord> all;
    for (const auto& partition : state_->topics[std::string(topic)]) all.insert(all.end(), partition.begin(), partition.end());
    return all;
  }

  // Queue.

  Status ensure_topic(std::string_view topic, std::int32_t partitions) override {
    const std::lock_guard lock(state_->mutex);
    if (!state_->down.empty()) return {Code::kUnavailable, state_->down};
    State::make_topic(*state_, std::string(topic), partitions > 0 ? partitions : default_partitions_);
    return Status::ok();
  }

  Status produce(std::vector<NewRecord> records, Produced produced) override {
    const std::lock_guard lock(state_->mutex);
    if (!state_->down.empty()) return {Code::kUnavailable, state_->down};
    if (state_->refusals > 0) {
      --state_->refusals;
      return {Code::kResourceExhausted, "the producer's buffer is full"};
    }
    Status outcome;
    if (state_->failures.first > 0) {
      --state_->failures.first;
      outcome = state_->failures.second;
    }
    // Tasks of the strand, which the state owns, must not own the state.
    Task task = [weak = std::weak_ptr(state_), records = std::move(records), produced = std::move(produced), outcome,
                 partitions = default_partitions_] {
      const auto state = weak.lock();
      if (state && outcome.is_ok()) {
        const std::lock_guard inner(state->mutex);
        for (const auto& record : records) State::append(state, record, partitions);
      }
      if (produced) produced(outcome);
    };
    if (state_->held)
      state_->waiting.push_back(std::move(task));
    else
      state_->strand.post(std::move(task));
    return Status::ok();
  }

  Result<std::unique_ptr<Consumer>> consume(std::string_view topic, std::string_view group, Consumer::Events events) override {
    const std::lock_guard lock(state_->mutex);
    if (!state_->down.empty()) return Status(Code::kUnavailable, state_->down);
    State::make_topic(*state_, std::string(topic), default_partitions_);
    auto member = std::make_shared<Member>();
    member->group = {std::string(topic), std::string(group)};
    member->events = std::move(events);
    state_->groups[member->group].members.push_back(member);
    State::post_rebalance(state_, member->group);
    return std::unique_ptr<Consumer>(std::make_unique<FakeConsumer>(state_, member));
  }

  Result<std::vector<TopicInfo>> topics() override {
    const std::lock_guard lock(state_->mutex);
    if (!state_->down.empty()) return Status(Code::kUnavailable, state_->down);
    std::vector<TopicInfo> infos;
    for (const auto& [name, partitions] : state_->topics) {
      TopicInfo info{name, {}};
      for (std::size_t id = 0; id < partitions.size(); ++id) info.partitions.push_back({static_cast<std::int32_t>(id), 0, {0}, {0}});
      infos.push_back(std::move(info));
    }
    return infos;
  }

  Health health() const override {
    const std::lock_guard lock(state_->mutex);
    return {state_->down.empty(), state_->down, {}};
  }

 private:
  using GroupName = std::pair<std::string, std::string>;  // topic, group
  using Partition = std::vector<QueueRecord>;

  struct Member {
    GroupName group;
    Consumer::Events events;
    std::map<std::int32_t, std::int64_t> positions;  // of its partitions
    std::set<std::int32_t> revoking;                 // while on_revoked runs
    bool gate = false;
    bool wants_bell = true;
    std::int32_t last_partition = -1;  // polled, for taking turns
    bool live = true;                  // guarded by running
    std::recursive_mutex running;      // held while an event runs, so that the destructor can wait for it
  };
  using Members = std::list<std::shared_ptr<Member>>;

  struct Group {
    Members members;
    std::map<std::int32_t, std::int64_t> committed;
    std::set<std::int32_t> elsewhere;
    int commits = 0;
  };

  struct State {
    explicit State(Executor& executor) : strand(executor) {}

    Strand strand;
    std::mutex mutex;  // guards all below, and the members but for `live`
    std::map<std::string, std::vector<Partition>> topics;
    std::map<GroupName, Group> groups;
    std::string down;
    std::pair<int, Status> failures{0, Status::ok()};
    int refusals = 0;
    bool held = false;
    std::vector<Task> waiting;
    std::int64_t timestamp_ms = 0;

    static void make_topic(State& state, const std::string& name, std::int32_t partitions) {
      auto& topic = state.topics[name];
      if (topic.empty()) topic.resize(static_cast<std::size_t>(partitions));
    }

    static std::int64_t committed_offset(const Group& group, std::int32_t partition) {
      const auto offset = group.committed.find(partition);
      return offset == group.committed.end() ? 0 : offset->second;
    }

    // FNV-1a: the same key lands in the same partition in every run.
    static std::size_t hash(std::string_view key) {
      std::uint64_t value = 14695981039346656037u;
      for (const char c : key) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
      return static_cast<std::size_t>(value ^ (value >> 32));
    }

    static std::pair<std::int32_t, std::int64_t> append(const std::shared_ptr<State>& state, NewRecord record, std::int32_t partitions) {
      make_topic(*state, record.topic, partitions);
      auto& topic = state->topics[record.topic];
      const std::size_t index = hash(record.key) % topic.size();
      const auto id = static_cast<std::int32_t>(index);
      const auto offset = static_cast<std::int64_t>(topic[index].size());
      topic[index].push_back({id, offset, state->timestamp_ms, std::move(record.key), std::move(record.value)});
      for (auto& [name, group] : state->groups)
        if (name.first == record.topic)
          for (const auto& member : group.members) ring_if_due(state, member);
      return {id, offset};
    }

    static bool has_records(State& state, const Member& member) {
      const auto& topic = state.topics[member.group.first];
      return std::any_of(member.positions.begin(), member.positions.end(), [&topic](const auto& position) {
        return position.second < static_cast<std::int64_t>(topic[static_cast<std::size_t>(position.first)].size());
      });
    }

    static void ring_if_due(const std::shared_ptr<State>& state, const std::shared_ptr<Member>& member) {
      if (member->gate && member->wants_bell && has_records(*state, *member)) ring(state, member);
    }

    static void ring(const std::shared_ptr<State>& state, const std::shared_ptr<Member>& member) {
      member->wants_bell = false;
      state->strand.post([member] { run(*member, [&] { member->events.on_ready(); }); });
    }

    template <typename Call>
    static void run(Member& member, Call call) {
      const std::lock_guard lock(member.running);
      if (member.live) call();
    }

    static void post_rebalance(const std::shared_ptr<State>& state, const GroupName& name) {
      state->strand.post([weak = std::weak_ptr(state), name] {
        if (const auto live = weak.lock()) rebalance(live, name);
      });
    }

    static void rebalance(const std::shared_ptr<State>& state, const GroupName& name) {
      std::map<std::shared_ptr<Member>, std::vector<std::int32_t>> lost;
      std::map<std::shared_ptr<Member>, std::vector<std::int32_t>> gained;
      {
        const std::lock_guard lock(state->mutex);
        divide(*state, name, lost, gained);
      }
      for (const auto& [member, partitions] : lost) {
        run(*member, [&, &m = member, &p = partitions] { m->events.on_revoked(p); });
        const std::lock_guard lock(state->mutex);
        member->revoking.clear();
      }
      for (const auto& [member, partitions] : gained) {
        run(*member, [&, &m = member, &p = partitions] { m->events.on_assigned(p); });
        const std::lock_guard lock(state->mutex);
        for (const auto partition : partitions) member->positions[partition] = committed_offset(state->groups[name], partition);
        ring_if_due(state, member);
      }
    }

    static void divide(State& state, const GroupName& name, std::map<std::shared_ptr<Member>, std::vector<std::int32_t>>& lost,
                       std::map<std::shared_ptr<Member>, std::vector<std::int32_t>>& gained) {
      Group& group = state.groups[name];
      const std::size_t count = state.topics[name.first].size();
      for (std::size_t turn = 0; turn < count && !group.members.empty(); ++turn) {
        const auto partition = static_cast<std::int32_t>(turn);
        const auto owner = *std::next(group.members.begin(), static_cast<std::ptrdiff_t>(turn % group.members.size()));
        const bool here = !group.elsewhere.contains(partition);
        for (const auto& member : group.members) {
          if ((member != owner || !here) && member->positions.erase(partition) > 0) {
            member->revoking.insert(partition);
            lost[member].push_back(partition);
          }
        }
        if (here && !owner->positions.contains(partition)) gained[owner].push_back(partition);
      }
    }
  };

  class FakeConsumer final : public Consumer {
   public:
    FakeConsumer(std::shared_ptr<State> state, std::shared_ptr<Member> member) : state_(std::move(state)), member_(std::move(member)) {}
    ~FakeConsumer() override {
      {
        const std::lock_guard lock(member_->running);
        member_->live = false;
      }
      const std::lock_guard lock(state_->mutex);
      state_->groups[member_->group].members.remove(member_);
      State::post_rebalance(state_, member_->group);
    }

    Result<std::vector<QueueRecord>> poll(std::size_t max_records, std::size_t max_bytes) override {
      const std::lock_guard lock(state_->mutex);
      std::vector<QueueRecord> taken;
      if (!state_->down.empty()) {
        member_->wants_bell = true;
        return Status(Code::kUnavailable, state_->down);
      }
      if (member_->gate) take(taken, max_records, max_bytes);
      if (taken.empty()) member_->wants_bell = true;
      return taken;
    }

    void set_gate(bool open) override {
      const std::lock_guard lock(state_->mutex);
      if (std::exchange(member_->gate, open) != open && open) State::ring(state_, member_);
    }

    void commit(std::span<const PartitionOffset> offsets) override {
      const std::lock_guard lock(state_->mutex);
      Group& group = state_->groups[member_->group];
      ++group.commits;
      for (const auto& [partition, offset] : offsets)
        if (member_->positions.contains(partition) || member_->revoking.contains(partition)) group.committed[partition] = offset;
    }

    std::int64_t lag() const override {
      const std::lock_guard lock(state_->mutex);
      std::int64_t sum = 0;
      for (const auto& [partition, position] : member_->positions) {
        const auto& records = state_->topics[member_->group.first][static_cast<std::size_t>(partition)];
        sum += static_cast<std::int64_t>(records.size()) - State::committed_offset(state_->groups[member_->group], partition);
      }
      return sum;
    }

   private:
    void take(std::vector<QueueRecord>& taken, std::size_t max_records, std::size_t max_bytes) {
      const auto& topic = state_->topics[member_->group.first];
      auto position = member_->positions.upper_bound(member_->last_partition);
      std::size_t bytes = 0;
      for (std::size_t turn = 0; turn < member_->positions.size(); ++turn) {
        if (position == member_->positions.end()) position = member_->positions.begin();
        const auto& records = topic[static_cast<std::size_t>(position->first)];
        for (; position->second < static_cast<std::int64_t>(records.size()) && taken.size() < max_records; ++position->second) {
          const auto& record = records[static_cast<std::size_t>(position->second)];
          bytes += record.bytes();
          if (bytes > max_bytes && !taken.empty()) return;
          taken.push_back(record);
        }
        member_->last_partition = position->first;
        ++position;
      }
    }

    std::shared_ptr<State> state_;
    std::shared_ptr<Member> member_;
  };

  std::shared_ptr<State> state_;
  std::int32_t default_partitions_;
};

}  // namespace fermata::testing
