#include "plugin/instance.hpp"

#include "base/random.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace fermata::plugin {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStartLimit{30'000};  // bounds of <fermata/abi/plugin.h>
constexpr milliseconds kStartRetryFirst{1'000};
constexpr milliseconds kStartRetryMax{30'000};
constexpr milliseconds kRoundInterval{2'000};
constexpr std::size_t kStatusesPerRound = 1'000;  // with more locations each is asked less often
constexpr milliseconds kLeastWait{200};           // of a step of stop, however little time is left

std::vector<std::string> names_of(const config::ExtensionConfig& extension) {
  std::vector<std::string> names;
  for (const auto& location : extension.locations) names.push_back(location.name);
  return names;
}

std::set<std::string, std::less<>> name_set(const config::ExtensionConfig& extension) {
  const auto names = names_of(extension);
  return {names.begin(), names.end()};
}

pipeline::PipelineOptions pipeline_options(const config::PipelineConfig& from) {
  pipeline::PipelineOptions options;
  options.max_in_flight = from.max_in_flight;
  options.max_in_flight_bytes = from.max_in_flight_bytes;
  options.max_attempts = from.max_attempts;
  options.retry_first = from.retry_first;
  options.retry_max = from.retry_max;
  options.stuck_after = from.stuck_after;
  return options;
}

std::string seconds(milliseconds time) {
  return time.count() % 1'000 == 0 ? fmt::format("{} s", time.count() / 1'000) : fmt::format("{} ms", time.count());
}

}  // namespace

/// The time that stop has, shared out to its steps.
class Instance::Deadline {
 public:
  explicit Deadline(milliseconds timeout) : end_(std::chrono::steady_clock::now() + timeout) {}
  milliseconds left() const {
    return std::max(kLeastWait, std::chrono::duration_cast<milliseconds>(end_ - std::chrono::steady_clock::now()));
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

Instance::Instance(Setup setup, PluginHost::Dependencies dependencies, Graveyard& graveyard)
    : setup_(std::move(setup)),
      deps_(dependencies),
      graveyard_(graveyard),
      locations_(names_of(setup_.extension)),
      notes_(deps_.control),
      pipelines_(setup_.service.name, setup_.state_path, pipeline_options(setup_.extension.pipeline), deps_.pipelines),
      bridge_(setup_.manifest.name, setup_.service.name, name_set(setup_.extension),
              {pipelines_, deps_.pipelines.kv, deps_.pipelines.workers, deps_.pipelines.clock, deps_.pipelines.log, deps_.pipelines.metrics,
               deps_.routes}),
      calls_(setup_.functions, setup_.manifest.name),
      watch_(deps_.control, deps_.pipelines.clock, [this](const Hook& hook, bool hung) { overran(hook, hung); }),
      hooks_("plugin/" + setup_.service.name) {
  pipelines_.on_change([this](std::string_view location) { notes_.note(location); });
}

std::string Instance::config_json() const {
  std::string locations;
  for (const auto& location : setup_.extension.locations) {
    if (!locations.empty()) locations += ',';
    locations += location.json;
  }
  return fmt::format(R"({{"service":{},"settings":{},"locations":[{}],"work_dir":{}}})", boost::json::serialize(setup_.service.name),
                     setup_.extension.settings_json, locations, boost::json::serialize(setup_.work_dir));
}

Status Instance::init() {
  const auto result = std::make_shared<Status>();  // outlives this call if the plugin hangs
  const bool ended = hooks_.run(
      [this, result] {
        *result = calls_.create(bridge_.abi(), setup_.service.name);
        if (*result) *result = calls_.init(config_json());
      },
      setup_.init_timeout);
  bridge_.end_registration();
  if (ended && *result) return Status::ok();

  stopping_ = true;
  const Status failure =
      ended ? *result
            : Status(Code::kDeadlineExceeded, fmt::format("plugin '{}': init did not return within {}; the thread it hangs in is left "
                                                          "behind until the host exits",
                                                          setup_.manifest.name, seconds(setup_.init_timeout)));
  deps_.routes.remove_all(setup_.service.name);
  take_down(Deadline(ended ? setup_.hook_timeout : kLeastWait));
  return failure;
}

void Instance::start() {
  hooks_.post([this] { try_start(); });
}

// On the hook thread.
void Instance::try_start() {
  if (stopping_) return;
  const Status started = start_all();
  if (stopping_) return;
  if (!started) {
    if (started.code() == Code::kUnavailable) return retry_start(started);
    deps_.pipelines.log.error(bridge_.component, started.message());
    return enter(Phase::kFailed, started.message());
  }
  bridge_.serve_routes(true);
  enter(Phase::kRunning, "");
  drain();
  ask_status();
  schedule_round();
}

// What of it has succeeded once is not repeated.
Status Instance::start_all() {
  if (!plugin_started_) {
    const Hook hook{Hook::Kind::kStart, {}, kStartLimit};
    watch_.begin(hook);
    const Status started = calls_.start();
    hook_ended(hook);
    if (!started) return started;
    plugin_started_ = true;
  }
  return pipelines_.start();
}

void Instance::retry_start(const Status& why) {
  const auto delay = backoff(++start_attempts_, kStartRetryFirst, kStartRetryMax);
  deps_.pipelines.log.warn(bridge_.component, fmt::format("{}; next attempt in {} ms", why.message(), delay.count()));
  enter(Phase::kStarting, why.message());
  deps_.control.post_after(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->start();
  });
}

void Instance::enter(Phase phase, std::string why) {
  {
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    why_ = std::move(why);
  }
  note_all();
}

void Instance::note_all() {
  for (const auto& name : locations_.names()) notes_.note(name);
}

void Instance::apply(std::string_view location, bool paused) {
  if (!locations_.want(location, paused)) return;
  if (paused) settle_gate(location);
  schedule_drain();
  notes_.note(location);
}

// Between the look at what is wanted and the setting no other thread gets in; so a gate that was closed by apply is not
// opened by a resume that was under way.
void Instance::settle_gate(std::string_view location) {
  const std::lock_guard lock(gate_order_);
  pipelines_.set_gate(location, !locations_.wants_paused(location));
}

void Instance::schedule_drain() {
  if (!drain_posted_.exchange(true)) hooks_.post([this] { drain(); });
}

// On the hook thread: calls the hooks that are due, once the plugin has started.
void Instance::drain() {
  drain_posted_ = false;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::kRunning) return;
  }
  while (!stopping_) {
    const auto job = locations_.next();
    if (!job) return;
    run_hook(*job);
  }
}

void Instance::run_hook(const LocationTable::Job& job) {
  const Hook hook{job.pause ? Hook::Kind::kPause : Hook::Kind::kResume, job.name, setup_.hook_timeout};
  watch_.begin(hook);
  const Status result = job.pause ? calls_.pause(job.name) : calls_.resume(job.name);
  hook_ended(hook);
  if (result && !job.pause && !stopping_) settle_gate(job.name);
  if (!result) deps_.pipelines.log.warn(bridge_.component, result.message(), {{"location", job.name}});
  locations_.finished(job, result, deps_.pipelines.clock.steady());
  notes_.note(job.name);
}

void Instance::schedule_round() {
  deps_.control.post_after(kRoundInterval, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->stopping_) return;
    if (!self->round_posted_.exchange(true)) self->hooks_.post([instance = self.get()] { instance->round(); });
    self->schedule_round();
  });
}

// On the hook thread: every 2 s, hooks that failed and status.
void Instance::round() {
  round_posted_ = false;
  if (locations_.queue_due(deps_.pipelines.clock.steady())) drain();
  ask_status();
}

void Instance::ask_status() {
  const auto& names = locations_.names();
  if (!calls_.has_status()) return;
  for (std::size_t i = 0; i < std::min(names.size(), kStatusesPerRound) && !stopping_; ++i) {
    const std::string& name = names[next_status_++ % names.size()];
    const Hook hook{Hook::Kind::kStatus, name, setup_.hook_timeout};
    watch_.begin(hook);
    auto status = calls_.status(name);
    hook_ended(hook);
    if (locations_.set_status(name, std::move(status))) notes_.note(name);
  }
}

std::string Instance::describe(const Hook& hook) const {
  switch (hook.kind) {
    case Hook::Kind::kStart: return fmt::format("plugin '{}': start", setup_.manifest.name);
    case Hook::Kind::kPause: return fmt::format("plugin '{}': pause of location '{}'", setup_.manifest.name, hook.location);
    case Hook::Kind::kResume: return fmt::format("plugin '{}': resume of location '{}'", setup_.manifest.name, hook.location);
    case Hook::Kind::kStatus: return fmt::format("plugin '{}': status of location '{}'", setup_.manifest.name, hook.location);
  }
  return setup_.manifest.name;
}

void Instance::count_overrun() {
  const auto series =
      deps_.pipelines.metrics.series(telemetry::MetricKind::kCounter, "fermata_plugin_hook_overruns_total",
                                     "Hooks of plugins that took longer than they may.", {{"service", setup_.service.name}});
  if (series) (*series)->record(1);
}

void Instance::overran(const Hook& hook, bool hung) {
  const std::string message =
      hung ? fmt::format("{} has not returned for {}; the plugin's other hooks wait for it; if it never returns, restart the host",
                         describe(hook), seconds(hook.limit * 10))
           : fmt::format("{} took longer than {}", describe(hook), seconds(hook.limit));
  deps_.pipelines.log.warn(bridge_.component, message);
  if (!hung) count_overrun();
  if (hung || hook.kind == Hook::Kind::kStart) {
    const std::lock_guard lock(mutex_);
    hung_ = message;
  } else if (hook.kind == Hook::Kind::kStatus) {
    locations_.set_status(hook.location, {PluginStatus::State::kFailed, message, {}});
  } else {
    locations_.overran(hook.location, message);
  }
  if (hung || hook.kind == Hook::Kind::kStart) return note_all();
  notes_.note(hook.location);
}

// What the overrun of this hook changed is changed back; the location's own trouble goes with the hook's result.
void Instance::hook_ended(const Hook& hook) {
  const auto took = watch_.end();
  if (took == milliseconds::zero()) return;
  deps_.pipelines.log.warn(bridge_.component, fmt::format("{} returned after {} ms", describe(hook), took.count()));
  {
    const std::lock_guard lock(mutex_);
    hung_.clear();
  }
  note_all();
}

control::LocationObservation Instance::observe(std::string_view location) const {
  using control::ObservedState;
  control::LocationObservation seen;
  const auto progress = locations_.progress(location);
  if (!progress) return seen;
  const auto counts = pipelines_.counts(location);
  seen.in_flight = counts.in_flight;
  seen.retrying = counts.retrying;
  seen.lag = counts.lag;
  seen.processed = counts.processed;
  seen.failed = counts.failed;
  seen.last_error = counts.last_error;
  seen.last_error_at = counts.last_error_at;
  seen.message = progress->status.message;
  if (!counts.stuck.empty()) seen.message += (seen.message.empty() ? "" : "; ") + counts.stuck;
  seen.details_json = progress->status.details_json;

  const auto set = [&seen](ObservedState state, const std::string& why) {
    seen.state = state;
    if (!why.empty()) seen.message = why;
    return seen;
  };
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::kFailed) return set(ObservedState::kFailed, why_);
    if (!hung_.empty()) return set(ObservedState::kFailed, hung_);
    if (phase_ == Phase::kStarting) return set(ObservedState::kStarting, why_);
  }
  if (!progress->trouble.empty()) return set(ObservedState::kFailed, progress->trouble);
  if (!progress->wanted_paused) return set(ObservedState::kStarting, "");
  if (*progress->wanted_paused) return set(progress->done && counts.quiet ? ObservedState::kPaused : ObservedState::kPausing, "");
  if (!progress->done) return set(ObservedState::kStarting, "");
  if (progress->status.state == PluginStatus::State::kFailed) return set(ObservedState::kFailed, "");
  return set(progress->status.state == PluginStatus::State::kDegraded ? ObservedState::kDegraded : ObservedState::kRunning, "");
}

control::PluginView Instance::view() const {
  control::PluginView view;
  view.service = setup_.service.name;
  view.name = setup_.manifest.name;
  view.version = setup_.manifest.version;
  view.description = setup_.manifest.description;
  view.path = setup_.file;
  view.abi_major = setup_.manifest.abi_major;
  view.abi_minor = setup_.manifest.abi_minor;
  view.commands = setup_.service.commands;
  const std::lock_guard lock(mutex_);
  constexpr const char* kNames[] = {"starting", "running", "failed", "stopping", "stopped"};
  view.state = hung_.empty() ? kNames[static_cast<std::size_t>(phase_)] : "failed";
  view.error = hung_.empty() ? why_ : hung_;
  return view;
}

Status Instance::stop(milliseconds timeout) {
  if (stopping_.exchange(true)) return Status::ok();
  const Deadline deadline(timeout);
  enter(Phase::kStopping, "");
  const bool free = hooks_.run([] {}, deadline.left() / 2);  // whatever hook is running ends first
  bridge_.serve_routes(false);
  deps_.routes.remove_all(setup_.service.name);
  const Status drained = pipelines_.stop(deadline.left() * 9 / 10);  // the rest is for the stop hook
  Status stopped;
  const bool returned = free && run_stop_hook(deadline, stopped);
  if (!take_down(deadline) || !returned) {
    return {Code::kDeadlineExceeded,
            fmt::format("plugin '{}' of service '{}' did not stop within {}; what hangs is left behind until the host exits",
                        setup_.manifest.name, setup_.service.name, seconds(timeout))};
  }
  enter(Phase::kStopped, "");
  return drained ? stopped : drained;
}

// False if it hangs.
bool Instance::run_stop_hook(const Deadline& deadline, Status& result) {
  if (!plugin_started_) return true;
  const auto stopped = std::make_shared<Status>();
  const bool ended = hooks_.run([this, stopped] { *stopped = calls_.stop(); }, deadline.left());
  if (ended) result = *stopped;
  return ended;
}

// Lets nothing enter the plugin any more, destroys it, and ends the hook thread. False if something hangs: then the rest
// happens when, and if, it returns, in the graveyard.
bool Instance::take_down(const Deadline& deadline) {
  const bool left = bridge_.stop_callbacks(deadline.left());
  const bool ended = hooks_.finish(left ? Task([this] { calls_.destroy(); }) : Task([] {}), deadline.left());
  const bool closed = bridge_.close(ended ? deadline.left() : kLeastWait);
  if (left && ended && closed) return true;
  graveyard_.bury(shared_from_this());
  return false;
}

bool Instance::at_rest() const { return hooks_.ended() && bridge_.at_rest(); }

}  // namespace fermata::plugin
