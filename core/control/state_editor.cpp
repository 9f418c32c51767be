#include "control/state_editor.hpp"

#include "base/random.hpp"
#include "control/desired_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kMaxBatch = 1'000;  // what a store takes as one write
constexpr std::size_t kFewReads = 8;      // up to here single reads are cheaper than all children
constexpr std::uint32_t kMaxAttempts = 10;
constexpr std::uint32_t kMaxLostAnswers = 2;
constexpr std::chrono::milliseconds kFirstRetry{5};
constexpr std::chrono::milliseconds kMaxRetry{200};

bool is_conflict(Code code) { return code == Code::kAborted || code == Code::kAlreadyExists || code == Code::kNotFound; }
bool is_lost(Code code) { return code == Code::kUnavailable || code == Code::kDeadlineExceeded; }

std::size_t digest_of(std::string_view data) { return std::hash<std::string_view>{}(data); }

}  // namespace

// A write on its way.
struct StateEditor::Planned {
  std::size_t location;
  StateWrite write;
  DesiredState before;
  DesiredState after;
  bool edited;  // false: only made, because it was missing
};

struct StateEditor::Run {
  Job job;
  std::vector<std::size_t> pending;
  std::unordered_map<std::size_t, Planned> unanswered;  // writes that may or may not have happened
  std::uint32_t attempts = 0;
  std::uint32_t lost_answers = 0;
  std::size_t stored = 0;

  Status failure(Code code, std::string_view why) const {
    std::string what = stored == 0 ? "nothing was changed" : fmt::format("{} of {} locations were changed", stored, job.locations.size());
    if (!unanswered.empty()) what = "whether all of it was stored is not known, so look again when the store answers";
    return {code, fmt::format("{}: {}; {}", job.service->spec.name, why, what)};
  }
};

StateEditor::StateEditor(StateStore& store, ServiceTable& table, Turns turns, telemetry::Log& log, OnAdopted on_adopted)
    : store_(store), table_(table), turns_(std::move(turns)), log_(log), on_adopted_(std::move(on_adopted)) {}

void StateEditor::run(Job job) {
  auto run = std::make_shared<Run>();
  run->pending = job.locations;
  run->job = std::move(job);
  proceed(run);
}

// The first two attempts follow at once: one conflict is no contention. Later ones wait, so that writers do not meet again.
void StateEditor::proceed(const std::shared_ptr<Run>& run) {
  std::optional<Status> end;
  do {
    end = attempt(*run);
  } while (!end && run->attempts < 2);
  if (end) return run->job.done(*end);
  turns_.post_after(backoff(run->attempts - 1, kFirstRetry, kMaxRetry), [this, run] { proceed(run); });
}

// nullopt: to be tried again.
std::optional<Status> StateEditor::attempt(Run& run) {
  if (run.pending.empty()) return Status::ok();
  ++run.attempts;
  auto stored = read(*run.job.service, run.pending);
  if (!stored) return run.failure(stored.status().code(), stored.status().message());
  const auto planned = plan(run, std::move(*stored));
  run.pending.clear();
  for (auto rest = std::span(planned); !rest.empty();) {
    const auto batch = rest.first(std::min(kMaxBatch, rest.size()));
    const Status written = write(run, batch);
    if (!written && !is_conflict(written.code()) && !is_lost(written.code())) return run.failure(written.code(), written.message());
    if (is_lost(written.code())) {
      if (++run.lost_answers > kMaxLostAnswers) return run.failure(written.code(), written.message());
      for (const auto& planned_one : rest) run.pending.push_back(planned_one.location);
      break;
    }
    if (!written)
      for (const auto& planned_one : batch) run.pending.push_back(planned_one.location);
    rest = rest.subspan(batch.size());
  }
  if (run.pending.empty()) return Status::ok();
  if (run.attempts < kMaxAttempts) return std::nullopt;
  return run.failure(Code::kAborted, fmt::format("others kept changing it through {} attempts; try again", kMaxAttempts));
}

Result<std::vector<std::optional<StateEntry>>> StateEditor::read(const Service& service, std::span<const std::size_t> locations) {
  std::vector<std::optional<StateEntry>> found;
  found.reserve(locations.size());
  if (locations.size() <= kFewReads) {
    for (const auto location : locations) {
      auto entry = store_.get(service.path_of(location));
      if (!entry) return entry.status();
      found.push_back(std::move(*entry));
    }
    return found;
  }
  auto children = store_.children(service.state_path);
  if (!children) return children.status();
  for (const auto location : locations) {
    const std::string path = service.path_of(location);
    const auto entry = std::ranges::lower_bound(*children, path, {}, &StateEntry::path);
    found.push_back(entry != children->end() && entry->path == path ? std::optional(std::move(*entry)) : std::nullopt);
  }
  return found;
}

std::vector<StateEditor::Planned> StateEditor::plan(Run& run, std::vector<std::optional<StateEntry>> stored) {
  std::vector<Planned> planned;
  for (std::size_t i = 0; i < stored.size(); ++i)
    if (auto one = plan_one(run, run.pending[i], std::move(stored[i]))) planned.push_back(std::move(*one));
  return planned;
}

std::optional<StateEditor::Planned> StateEditor::plan_one(Run& run, std::size_t location, std::optional<StateEntry> stored) {
  const auto& service = *run.job.service;
  if (const auto tried = run.unanswered.find(location); tried != run.unanswered.end()) {
    const Planned lost = std::move(tried->second);
    run.unanswered.erase(tried);
    if (stored && stored->data == lost.write.data) {
      adopt_written(run, std::span(&lost, 1), std::span(&stored->version, 1));
      return std::nullopt;
    }
  }
  if (stored) adopt_stored(run.job.service, location, *stored);
  const auto& known = service.locations[location];
  auto edited = run.job.edit ? run.job.edit(known.desired, known.error.empty()) : std::nullopt;
  if (!edited && stored) return std::nullopt;
  const DesiredState after = edited.value_or(known.desired);
  StateWrite write{stored ? StateWrite::Kind::kPut : StateWrite::Kind::kCreate, service.path_of(location),
                   format_state(after, stored ? stored->data : std::string()), stored ? stored->version : StateWrite::kAnyVersion};
  return Planned{location, std::move(write), known.desired, after, edited.has_value()};
}

Status StateEditor::write(Run& run, std::span<const Planned> batch) {
  std::vector<StateWrite> writes;
  writes.reserve(batch.size());
  for (const auto& planned : batch) writes.push_back(planned.write);
  const auto versions = store_.write(writes);
  if (versions) {
    adopt_written(run, batch, *versions);
    return Status::ok();
  }
  if (is_lost(versions.status().code()))
    for (const auto& planned : batch) run.unanswered.insert_or_assign(planned.location, planned);
  return versions.status();
}

void StateEditor::adopt_stored(const std::shared_ptr<Service>& service, std::size_t location, const StateEntry& entry) {
  const auto& known = service->locations[location];
  const std::size_t digest = digest_of(entry.data);
  if (known.version == entry.version && known.digest == digest) return;
  LocationState state{known.desired, {}, entry.version, digest, false};
  const auto stored = parse_state(entry.data);
  const std::string warning = stored ? stored->warning : stored.status().message();
  if (!warning.empty()) log_.warn("control", "odd state in the store", {{"path", entry.path}, {"problem", warning}});
  if (stored)
    state.desired = stored->desired;
  else
    state.error = fmt::format("{} in the state store: {}; pause or resume the location to write it anew", entry.path, warning);
  table_.adopt(*service, location, std::move(state));
  on_adopted_(service, location);
}

void StateEditor::adopt_written(Run& run, std::span<const Planned> batch, std::span<const Version> versions) {
  const auto& service = run.job.service;
  std::vector<Edited> edited;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& planned = batch[i];
    table_.adopt(*service, planned.location, {planned.after, {}, versions[i], digest_of(planned.write.data), false});
    on_adopted_(service, planned.location);
    if (planned.edited) edited.push_back({planned.location, planned.before, planned.after, versions[i]});
  }
  run.stored += edited.size();
  if (!edited.empty()) run.job.on_stored(edited);
}

}  // namespace fermata::control
