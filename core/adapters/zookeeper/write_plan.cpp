#include "adapters/zookeeper/write_plan.hpp"

#include "adapters/zookeeper/paths.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace fermata::zookeeper {
namespace {

using Kind = StateWrite::Kind;

constexpr std::size_t kOperationBytes = 64;  // header, lengths and ACL of one step, rounded up

bool makes_entry(const StateWrite& write) { return write.kind == Kind::kCreate || write.kind == Kind::kEphemeral; }

// ZooKeeper's versions have 32 bits; what does not fit stays a version that is not there.
int version_of(const StateWrite& write) { return static_cast<int>(std::clamp<Version>(write.expected, INT32_MIN, INT32_MAX)); }

class Planner {
 public:
  Planner(const std::string& chroot, Facts facts) : chroot_(chroot), facts_(std::move(facts)) {}

  void add(const StateWrite& write, std::size_t index) {
    const std::string path = chroot_ + write.path;
    switch (write.kind) {
      case Kind::kCreate: return create(Operation::Kind::kCreate, path, write.data, index);
      case Kind::kPut: return set(path, write.data, version_of(write), index);
      case Kind::kRemove: return remove(path, version_of(write), index);
      case Kind::kEphemeral: return replace(path, write.data, index);
    }
  }
  WritePlan take() { return std::move(plan_); }

 private:
  void create(Operation::Kind kind, const std::string& path, const std::string& data, std::size_t index) {
    make_parents(path);
    push({.kind = kind, .path = path, .data = data}, index);
    facts_[path] = {.exists = true, .ours = kind == Operation::Kind::kCreateEphemeral};
  }
  void set(const std::string& path, const std::string& data, int version, std::size_t index) {
    push({.kind = Operation::Kind::kSet, .path = path, .data = data, .version = version}, index);
    if (const auto fact = facts_.find(path); fact != facts_.end()) fact->second.version = -1;
  }
  void remove(const std::string& path, int version, std::size_t index) {
    push({.kind = Operation::Kind::kRemove, .path = path, .version = version}, index);
    facts_[path] = {};
  }
  void replace(const std::string& path, const std::string& data, std::size_t index) {
    const Fact fact = facts_[path];
    // With the version, so that it does not go to another session's entry that has taken its place.
    if (fact.exists && fact.ours) return set(path, data, fact.version, index);
    if (fact.exists) remove(path, -1, index);
    create(Operation::Kind::kCreateEphemeral, path, data, index);
  }

  void make_parents(std::string_view path) {
    const std::string_view parent = parent_of(path);
    if (parent.empty()) return;
    const auto fact = facts_.find(parent);
    if (fact == facts_.end() || fact->second.exists) return;
    make_parents(parent);
    push({.kind = Operation::Kind::kCreate, .path = std::string(parent)}, std::nullopt);
    facts_[std::string(parent)] = {.exists = true};
  }
  void push(Operation operation, std::optional<std::size_t> index) {
    plan_.operations.push_back(std::move(operation));
    plan_.write_of.push_back(index);
  }

  const std::string& chroot_;
  Facts facts_;  // as they are after the steps so far
  WritePlan plan_;
};

}  // namespace

std::set<std::string> needed_facts(std::span<const StateWrite> writes, const std::string& chroot, bool with_parents) {
  std::set<std::string> paths;
  for (const auto& write : writes) {
    const std::string path = chroot + write.path;
    if (write.kind == Kind::kEphemeral) paths.insert(path);
    if (!with_parents || !makes_entry(write)) continue;
    for (auto up = parent_of(path); !up.empty(); up = parent_of(up))
      if (!paths.emplace(up).second) break;
  }
  return paths;
}

WritePlan plan_writes(std::span<const StateWrite> writes, const std::string& chroot, Facts facts) {
  Planner planner(chroot, std::move(facts));
  for (std::size_t i = 0; i < writes.size(); ++i) planner.add(writes[i], i);
  return planner.take();
}

std::size_t bytes_of(const WritePlan& plan) {
  std::size_t bytes = kOperationBytes;
  for (const auto& one : plan.operations) bytes += kOperationBytes + one.path.size() + one.data.size();
  return bytes;
}

}  // namespace fermata::zookeeper
