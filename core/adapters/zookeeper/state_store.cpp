#include "adapters/zookeeper/state_store.hpp"

#include "adapters/zookeeper/errors.hpp"
#include "adapters/zookeeper/paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::zookeeper {
namespace {

using Kind = Request::Kind;

constexpr std::size_t kMaxWrites = 1'000;
constexpr std::size_t kMaxEntryBytes = 512u << 10;
constexpr std::size_t kMaxBatchBytes = (1u << 20) - 1;  // jute.maxbuffer's default; beyond it the ensemble hangs up
constexpr int kMaxAttempts = 20;

Status check(std::span<const StateWrite> writes) {
  if (writes.size() > kMaxWrites)
    return {Code::kInvalidArgument, fmt::format("{} writes in one batch, of at most {}", writes.size(), kMaxWrites)};
  for (const auto& write : writes) {
    if (auto valid = check_path(write.path); !valid) return valid;
    if (write.data.size() > kMaxEntryBytes)
      return {Code::kInvalidArgument, fmt::format("{}: {} bytes, of at most {}", write.path, write.data.size(), kMaxEntryBytes)};
  }
  return Status::ok();
}

}  // namespace

/// What became of a plan.
struct ZooKeeperStateStore::Outcome {
  Status status;  ///< of the batch, unless another plan is due
  bool again = false;
  bool parents_missing = false;
};

std::string ZooKeeperStateStore::full(std::string_view path) const { return fmt::format("{}{}", chroot_, path); }

Result<std::optional<StateEntry>> ZooKeeperStateStore::get(std::string_view path) {
  if (auto valid = check_path(path); !valid) return valid;
  auto answer = session_.read_one({.kind = Kind::kGet, .path = full(path)}, session_.deadline());
  if (!answer) return answer.status();
  if (answer->code == ZNONODE) return std::optional<StateEntry>();
  if (answer->code != ZOK) return to_status(answer->code, path);
  return std::optional(StateEntry{std::string(path), std::move(answer->text), answer->stat.version});
}

Result<std::vector<StateEntry>> ZooKeeperStateStore::children(std::string_view path) {
  if (auto valid = check_path(path); !valid) return valid;
  const auto deadline = session_.deadline();
  auto list = session_.read_one({.kind = Kind::kChildren, .path = full(path)}, deadline);
  if (!list) return list.status();
  if (list->code == ZNONODE) return std::vector<StateEntry>();
  if (list->code != ZOK) return to_status(list->code, path);
  std::ranges::sort(list->names);
  std::vector<Request> requests;
  for (const auto& name : list->names) requests.push_back({.kind = Kind::kGet, .path = fmt::format("{}{}/{}", chroot_, path, name)});
  auto answers = session_.read(requests, deadline);
  if (!answers) return answers.status();
  std::vector<StateEntry> entries;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto& answer = (*answers)[i];
    std::string child = requests[i].path.substr(chroot_.size());
    if (answer.code == ZNONODE) continue;  // removed meanwhile
    if (answer.code != ZOK) return to_status(answer.code, child);
    entries.push_back({std::move(child), std::move(answer.text), answer.stat.version});
  }
  return entries;
}

Result<std::vector<Version>> ZooKeeperStateStore::write(std::span<const StateWrite> writes) {
  if (auto valid = check(writes); !valid) return valid;
  if (writes.empty()) return std::vector<Version>();
  const auto deadline = session_.deadline();
  bool with_parents = false;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    auto facts = facts_of(needed_facts(writes, chroot_, with_parents), deadline);
    if (!facts) return facts.status();
    const auto plan = plan_writes(writes, chroot_, std::move(*facts));
    if (const auto bytes = bytes_of(plan); bytes > kMaxBatchBytes)
      return Status(Code::kInvalidArgument, fmt::format("a batch of {} writes beginning with {} has {} bytes, more than ZooKeeper takes "
                                                        "at once ({}): write less in one batch",
                                                        writes.size(), writes.front().path, bytes, kMaxBatchBytes));
    const Request request{.kind = Kind::kMulti, .path = full(writes.front().path), .operations = plan.operations};
    const auto answers = session_.call(std::span<const Request>(&request, 1), deadline);
    if (!answers) return answers.status();
    const auto& answer = answers->front();
    const auto outcome = outcome_of(writes, plan, answer);
    if (outcome.again) {
      with_parents = with_parents || outcome.parents_missing;
      continue;
    }
    if (!outcome.status) return outcome.status;
    std::vector<Version> versions(writes.size());
    for (std::size_t i = 0; i < answer.done.size(); ++i)
      if (plan.write_of[i]) versions[*plan.write_of[i]] = answer.done[i].version;
    return versions;
  }
  return Status(Code::kUnavailable, fmt::format("{}: changed by others with each attempt to write it: try again", writes.front().path));
}

Result<Facts> ZooKeeperStateStore::facts_of(const std::set<std::string>& paths, SteadyTime deadline) {
  Facts facts;
  if (paths.empty()) return facts;
  std::vector<Request> requests;
  for (const auto& path : paths) requests.push_back({.kind = Kind::kExists, .path = path});
  const auto answers = session_.read(requests, deadline);
  if (!answers) return answers.status();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto& answer = (*answers)[i];
    if (answer.code != ZOK && answer.code != ZNONODE) return to_status(answer.code, requests[i].path);
    facts[requests[i].path] = {.exists = answer.code == ZOK,
                               .ours = answer.stat.ephemeralOwner != 0 && answer.stat.ephemeralOwner == answer.session,
                               .version = answer.stat.version};
  }
  return facts;
}

ZooKeeperStateStore::Outcome ZooKeeperStateStore::outcome_of(std::span<const StateWrite> writes, const WritePlan& plan,
                                                             const Answer& answer) const {
  if (answer.code == ZOK) return {};
  // Those before the one that failed say ok, those after it that they were not tried.
  const auto failed =
      std::ranges::find_if(answer.done, [](const auto& done) { return done.code != ZOK && done.code != ZRUNTIMEINCONSISTENCY; });
  if (failed == answer.done.end()) return {.status = to_status(answer.code, writes.front().path)};
  const auto step = static_cast<std::size_t>(failed - answer.done.begin());
  const auto index = plan.write_of[step];
  const int code = failed->code;
  const bool moved = code == ZNODEEXISTS || code == ZNONODE || code == ZBADVERSION;
  if (!index) return {.status = to_status(code, plan.operations[step].path), .again = moved, .parents_missing = true};
  const auto& write = writes[*index];
  const bool makes = write.kind == StateWrite::Kind::kCreate || write.kind == StateWrite::Kind::kEphemeral;
  return {.status = to_status(code, write.path),
          .again = (makes && code == ZNONODE) || (write.kind == StateWrite::Kind::kEphemeral && moved),
          .parents_missing = makes && code == ZNONODE};
}

std::unique_ptr<StateStore::Watch> ZooKeeperStateStore::watch(std::string_view path, WatchCallback callback) {
  return watches_.add(full(path), std::move(callback));
}

}  // namespace fermata::zookeeper
