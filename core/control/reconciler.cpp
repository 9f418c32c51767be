#include "control/reconciler.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::chrono::milliseconds kRetry{1'000};
// A watch fires for our own writes too, and then reads all locations of the service: not more than ten times a second.
constexpr std::chrono::milliseconds kWatchDelay{100};

}  // namespace

Reconciler::Reconciler(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns,
                       StateEditor& editor, ClusterView& cluster)
    : interval_(options.reconcile_interval), dependencies_(dependencies), turns_(std::move(turns)), editor_(editor), cluster_(cluster) {}

void Reconciler::start(const std::vector<std::shared_ptr<Service>>& services) {
  for (const auto& service : services) watch(service);
  begin_pass();
  while (go_on()) {
  }
  started_ = true;
}

// While the store is lost, one failed read a second is enough, whatever the number of services.
void Reconciler::add(const std::shared_ptr<Service>& service) {
  if (watch(service) && !lost_) read_states(service);
}

// False: it does so already.
bool Reconciler::watch(const std::shared_ptr<Service>& service) {
  auto& watched = services_[service->spec.name];
  if (watched.service == service) return false;
  watched.service = service;
  watched.watch = dependencies_.store.watch(
      service->state_path, [this, turns = turns_, name = service->spec.name]() mutable { turns.post([this, name] { read_soon(name); }); });
  return true;
}

void Reconciler::remove(const Service& service) { services_.erase(service.spec.name); }

void Reconciler::stop() { services_.clear(); }

void Reconciler::read_all() {
  begin_pass();
  if (!std::exchange(passing_, true)) run_pass();
}

void Reconciler::begin_pass() {
  lost_ = false;
  pass_.clear();
  for (const auto& [name, watched] : services_) pass_.push_back(name);
}

// False: the pass is over. One failed read is enough to know that the store is lost.
bool Reconciler::go_on() {
  if (!lost_ && !pass_.empty()) {
    const auto watched = services_.find(pass_.back());
    pass_.pop_back();
    if (watched != services_.end()) read_states(watched->second.service);
    return true;
  }
  passing_ = false;
  if (!lost_ && std::exchange(complained_, false)) dependencies_.log.info("control", "desired states can be read again");
  cluster_.refresh();
  arm(lost_ ? std::min(kRetry, interval_) : interval_);
  return false;
}

// Hints get their turns in between.
void Reconciler::run_pass() {
  if (go_on()) turns_.post([this] { run_pass(); });
}

// A store that says it is lost is not asked, since waiting for its answer keeps others waiting; at the start it may still
// be connecting.
void Reconciler::read(const std::shared_ptr<Service>& service, std::vector<std::size_t> locations) {
  const Health health = dependencies_.store.health();
  if (started_ && !health.ok) return note({Code::kUnavailable, health.reason});
  StateEditor::Job job{service, std::move(locations)};
  job.done = [this](const Status& status) { note(status); };
  editor_.run(std::move(job));
}

void Reconciler::read_states(const std::shared_ptr<Service>& service) {
  std::vector<std::size_t> all(service->locations.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  read(service, std::move(all));
}

void Reconciler::read_soon(const std::string& service) {
  if (!reading_soon_.insert(service).second) return;
  turns_.post_after(kWatchDelay, [this, service] {
    reading_soon_.erase(service);
    if (const auto watched = services_.find(service); watched != services_.end()) read_states(watched->second.service);
  });
}

void Reconciler::note(const Status& status) {
  if (status) return;
  if (!std::exchange(complained_, true))
    dependencies_.log.warn("control", "desired states could not be read; what is known stays in force", {{"error", status.message()}});
  lost_ = true;
  arm(std::min(kRetry, interval_));
}

void Reconciler::arm(std::chrono::milliseconds delay) {
  if (timer_ != 0) turns_.cancel(timer_);
  timer_ = turns_.post_after(delay, [this] {
    timer_ = 0;
    read_all();
  });
}

}  // namespace fermata::control
