#include "control/control_plane.hpp"

#include "control/audit.hpp"
#include "control/changes.hpp"
#include "control/cluster_view.hpp"
#include "control/foreign_commands.hpp"
#include "control/hints.hpp"
#include "control/location_view.hpp"
#include "control/mailbox.hpp"
#include "control/reconciler.hpp"
#include "control/scheduler.hpp"
#include "control/service_table.hpp"
#include "control/state_editor.hpp"
#include "control/turns.hpp"
#include "control/waiters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kMaxMail = 65'536;

Status no_service(std::string_view name) { return {Code::kNotFound, fmt::format("no service '{}'", name)}; }

}  // namespace

// Ties the parts together; each says what it does in its own header. Everything but the reads runs on a turn.
class ControlPlane::Impl {
 public:
  Impl(Options options, Dependencies dependencies);

  Status add_service(ServiceSpec spec, ServiceDriver* driver, std::string failure);
  void remove_service(std::string_view name);
  void set_failure(std::string_view name, std::string failure);
  void start();
  void stop();

  Status visit(std::string_view name, const std::function<void(const LocationView&)>& visit) const;
  Result<LocationView> location(std::string_view name, std::string_view location) const;
  const ServiceTable& table() const { return table_; }
  const ClusterView& cluster() const { return cluster_; }

  void change(Change change, Changes::Done done);
  void wait_converged(std::string service, std::string location, std::chrono::milliseconds timeout, Waiters::Done done);
  void audit(std::string before_id, std::size_t limit, std::function<void(Result<std::vector<AuditTrail::Entry>>)> done);
  Status writable() const { return changes_.writable(); }

 private:
  using ServiceLocation = std::pair<std::shared_ptr<Service>, std::size_t>;
  using ChannelMessage = std::pair<std::string, std::string>;

  void load(const std::shared_ptr<Service>& service);
  void unload(const Service& service);
  void subscribe();
  void on_messages(const std::vector<ChannelMessage>& messages, bool overflowed);
  void on_touched(const std::vector<ServiceLocation>& touched, bool overflowed);
  void on_adopted(const std::shared_ptr<Service>& service, std::size_t location);
  LocationView view_of(const Service& service, std::size_t location) const;
  bool is_converged(const Service& service, std::size_t location) const;

  const Options options_;
  Dependencies dependencies_;
  Turns turns_;
  ServiceTable table_;
  AuditTrail audit_;
  Waiters waiters_;
  ClusterView cluster_;
  StateEditor editor_;
  Changes changes_;
  Scheduler scheduler_;
  ForeignCommands foreign_;
  Reconciler reconciler_;
  std::shared_ptr<Mailbox<ChannelMessage>> messages_;
  std::shared_ptr<Mailbox<ServiceLocation>> touched_;                       // locations of which something may have changed
  std::unordered_map<std::string, std::vector<ServiceLocation>> channels_;  // who listens to a channel
  bool started_ = false;
};

ControlPlane::Impl::Impl(Options options, Dependencies dependencies)
    : options_(std::move(options)),
      dependencies_(dependencies),
      turns_(dependencies.executor),
      audit_(dependencies.kv, dependencies.clock, dependencies.log, turns_, options_.node_id, options_.audit_limit),
      waiters_(turns_, [this](const Service& service, std::size_t location) { return is_converged(service, location); }),
      cluster_(options_, dependencies_, turns_, table_, [this] { waiters_.check(); }),
      editor_(dependencies.store, table_, turns_, dependencies.log,
              [this](const std::shared_ptr<Service>& service, std::size_t location) { on_adopted(service, location); }),
      changes_(dependencies_, table_, editor_, audit_),
      scheduler_(turns_, dependencies.clock, options_.reconcile_interval,
                 [this](const std::vector<Scheduler::Key>& due) { changes_.fire(due); }),
      foreign_(options_, dependencies_, turns_, changes_),
      reconciler_(options_, dependencies_, turns_, editor_, cluster_),
      messages_(std::make_shared<Mailbox<ChannelMessage>>(turns_, kMaxMail,
                                                          [this](const auto& items, bool overflowed) { on_messages(items, overflowed); })),
      touched_(std::make_shared<Mailbox<ServiceLocation>>(turns_, kMaxMail,
                                                          [this](const auto& items, bool overflowed) { on_touched(items, overflowed); })) {}

// Services.

Status ControlPlane::Impl::add_service(ServiceSpec spec, ServiceDriver* driver, std::string failure) {
  if (Status usable = Service::check(spec); !usable) return usable;
  auto service = std::make_shared<Service>(std::move(spec), options_.base_path, driver, std::move(failure));
  if (driver != nullptr) {
    driver->on_change([touched = touched_, service](std::string_view location) {
      if (const auto index = service->find(location)) touched->put({service, *index});
    });
  }
  if (Status added = table_.add(service); !added) {
    service->driver.close();
    return added;
  }
  turns_.post([this, service] {
    if (started_) load(service);
  });
  return Status::ok();
}

void ControlPlane::Impl::remove_service(std::string_view name) {
  const auto service = table_.remove(name);
  if (service == nullptr) return;
  service->driver.close();
  turns_.post([this, service] {
    if (started_) unload(*service);
  });
}

void ControlPlane::Impl::set_failure(std::string_view name, std::string failure) {
  const auto service = table_.find(name);
  if (service == nullptr) return;
  service->driver.set_failure(std::move(failure));
  for (std::size_t i = 0; i < service->spec.locations.size(); ++i) touched_->put({service, i});
}

void ControlPlane::Impl::load(const std::shared_ptr<Service>& service) {
  if (table_.find(service->spec.name) != service) return;
  subscribe();
  reconciler_.add(service);
  cluster_.add(*service);
}

void ControlPlane::Impl::unload(const Service& service) {
  reconciler_.remove(service);
  scheduler_.remove_service(service.spec.name);
  cluster_.remove(service);
  subscribe();
}

void ControlPlane::Impl::start() {
  turns_.run([this] {
    if (std::exchange(started_, true)) return;
    subscribe();
    foreign_.start();
    cluster_.start();
    reconciler_.start(table_.all());
    scheduler_.run_due();
  });
}

void ControlPlane::Impl::stop() {
  turns_.close([this] {
    if (!started_) return;
    foreign_.stop();
    reconciler_.stop();
    cluster_.withdraw();
  });
}

// What comes in.

void ControlPlane::Impl::subscribe() {
  channels_.clear();
  for (const auto& service : table_.all())
    for (std::size_t i = 0; i < service->locations.size(); ++i) channels_[service->channel_of(i)].emplace_back(service, i);
  std::vector<std::string> names;
  names.reserve(channels_.size());
  for (const auto& [name, locations] : channels_) names.push_back(name);
  Fanout::Listener listener{[messages = messages_](std::string_view channel, std::string_view message) {
                              messages->put({std::string(channel), std::string(message)});
                            },
                            [this, turns = turns_]() mutable { turns.post([this] { reconciler_.read_all(); }); }};
  if (const Status subscribed = dependencies_.fanout.subscribe(std::move(names), std::move(listener)); !subscribed)
    dependencies_.log.warn("control", "no subscription: changes by other nodes are seen later", {{"error", subscribed.message()}});
}

void ControlPlane::Impl::on_messages(const std::vector<ChannelMessage>& messages, bool overflowed) {
  if (overflowed) dependencies_.log.warn("control", "messages of the fan-out came too fast and were dropped; reading everything instead");
  std::map<std::shared_ptr<Service>, std::set<std::size_t>> hinted;
  for (const auto& [channel, text] : messages) {
    const auto locations = channels_.find(channel);
    if (locations == channels_.end()) continue;
    const Message message = parse_message(text);
    for (const auto& [service, location] : locations->second) {
      if (message.kind == Message::Kind::kHint) {
        // Our own hints come back to us; then there is nothing new.
        if (service->locations[location].version != message.revision || message.revision < 0) hinted[service].insert(location);
      } else if (message.kind != Message::Kind::kIgnored) {
        foreign_.take(service->spec.name, service->spec.locations[location].name, message);
      }
    }
  }
  if (overflowed) return reconciler_.read_all();
  for (const auto& [service, locations] : hinted) reconciler_.read(service, {locations.begin(), locations.end()});
}

void ControlPlane::Impl::on_touched(const std::vector<ServiceLocation>& touched, bool overflowed) {
  for (const auto& [service, location] : touched) cluster_.touch(*service, location);
  if (overflowed) cluster_.touch_all();
  waiters_.check();
}

void ControlPlane::Impl::on_adopted(const std::shared_ptr<Service>& service, std::size_t location) {
  // Of a service that was removed while a change of it was on its way, nobody would fire the schedule.
  if (table_.find(service->spec.name) != service) return;
  const auto& desired = service->locations[location].desired;
  const auto& name = service->spec.locations[location].name;
  scheduler_.set({service->spec.name, name}, desired.scheduled_resume);
  foreign_.changed(service->spec.name, name, desired.by);
  touched_->put({service, location});
}

// Answers.

LocationView ControlPlane::Impl::view_of(const Service& service, std::size_t location) const {
  auto own = table_.observe(service, location);
  auto state = table_.state(service, location);
  const auto votes = cluster_.votes(service, location, state.version, std::move(own));
  LocationView view;
  view.name = service.spec.locations[location].name;
  view.state = aggregate(state.desired.paused, state.error.empty(), votes);
  view.desired = std::move(state.desired);
  view.desired_error = std::move(state.error);
  if (state.version == StateWrite::kAnyVersion && view.desired_error.empty()) view.desired_error = "it could not be read yet";
  view.nodes.reserve(votes.size());
  for (const auto& vote : votes) {
    view.nodes.push_back({vote.node, vote.observation});
    view.failed = std::max(view.failed, vote.observation.failed);
  }
  return view;
}

bool ControlPlane::Impl::is_converged(const Service& service, std::size_t location) const {
  const auto& state = service.locations[location];
  const auto votes = cluster_.votes(service, location, state.version, table_.observe(service, location));
  return fermata::control::is_converged(state.desired.paused, state.error.empty(), votes);
}

Status ControlPlane::Impl::visit(std::string_view name, const std::function<void(const LocationView&)>& visit) const {
  const auto service = table_.find(name);
  if (service == nullptr) return no_service(name);
  for (std::size_t i = 0; i < service->spec.locations.size(); ++i) visit(view_of(*service, i));
  return Status::ok();
}

Result<LocationView> ControlPlane::Impl::location(std::string_view name, std::string_view location) const {
  const auto service = table_.find(name);
  if (service == nullptr) return no_service(name);
  const auto index = service->find(location);
  if (!index) return Status(Code::kNotFound, fmt::format("service '{}' has no location '{}'", name, location));
  return view_of(*service, *index);
}

// Requests.

void ControlPlane::Impl::change(Change change, Changes::Done done) {
  turns_.post([this, change = std::move(change), done = std::move(done)] {
    if (!started_) return done(Status(Code::kUnavailable, "the control plane has not started yet; nothing was changed"));
    changes_.request(change, done);
  });
}

void ControlPlane::Impl::wait_converged(std::string service, std::string location, std::chrono::milliseconds timeout, Waiters::Done done) {
  turns_.post([this, service, location, timeout, done = std::move(done)] {
    const auto found = table_.find(service);
    if (found == nullptr) return done(false);
    std::vector<std::size_t> locations(found->locations.size());
    std::iota(locations.begin(), locations.end(), std::size_t{0});
    if (location != "all") {
      const auto index = found->find(location);
      if (!index) return done(false);
      locations = {*index};
    }
    waiters_.wait(found, std::move(locations), timeout, done);
  });
}

void ControlPlane::Impl::audit(std::string before_id, std::size_t limit, std::function<void(Result<std::vector<AuditTrail::Entry>>)> done) {
  turns_.post([this, before_id = std::move(before_id), limit, done = std::move(done)] { done(audit_.page(before_id, limit)); });
}

// The public face.

ControlPlane::ControlPlane(Options options, Dependencies dependencies) : impl_(std::make_unique<Impl>(std::move(options), dependencies)) {}
ControlPlane::~ControlPlane() { impl_->stop(); }

Status ControlPlane::add_service(ServiceSpec spec, ServiceDriver* driver, std::string failure) {
  return impl_->add_service(std::move(spec), driver, std::move(failure));
}
void ControlPlane::remove_service(std::string_view name) { impl_->remove_service(name); }
void ControlPlane::set_failure(std::string_view name, std::string failure) { impl_->set_failure(name, std::move(failure)); }
void ControlPlane::start() { impl_->start(); }
void ControlPlane::stop() { impl_->stop(); }

std::vector<std::string> ControlPlane::services() const {
  std::vector<std::string> names;
  for (const auto& service : impl_->table().all()) names.push_back(service->spec.name);
  return names;
}

Result<ServiceSpec> ControlPlane::service(std::string_view name) const {
  const auto service = impl_->table().find(name);
  if (service == nullptr) return no_service(name);
  return service->spec;
}

Status ControlPlane::visit(std::string_view service, const std::function<void(const LocationView&)>& visit) const {
  return impl_->visit(service, visit);
}

Result<LocationView> ControlPlane::location(std::string_view service, std::string_view location) const {
  return impl_->location(service, location);
}

Status ControlPlane::visit_desired(std::string_view service,
                                   const std::function<void(std::string_view location, const DesiredState&)>& visit) const {
  const auto found = impl_->table().find(service);
  if (found == nullptr) return no_service(service);
  impl_->table().visit(*found, visit);
  return Status::ok();
}

Status ControlPlane::desired_known(std::string_view service) const {
  const auto found = impl_->table().find(service);
  if (found == nullptr) return no_service(service);
  if (impl_->table().known(*found)) return Status::ok();
  return {Code::kUnavailable, fmt::format("what is desired of service '{}' could not be read yet: see /readyz", service)};
}

std::uint64_t ControlPlane::desired_revision(std::string_view service) const { return impl_->table().revision(service); }
std::vector<NodeView> ControlPlane::nodes() const { return impl_->cluster().nodes(); }
std::string ControlPlane::conflict() const { return impl_->cluster().conflict(); }

void ControlPlane::change(Change change, std::function<void(Result<std::vector<Changed>>)> done) {
  impl_->change(std::move(change), std::move(done));
}

void ControlPlane::wait_converged(std::string service, std::string location, std::chrono::milliseconds timeout,
                                  std::function<void(bool)> done) {
  impl_->wait_converged(std::move(service), std::move(location), timeout, std::move(done));
}

void ControlPlane::audit(std::string before_id, std::size_t limit,
                         std::function<void(Result<std::vector<std::pair<std::string, AuditEntry>>>)> done) {
  impl_->audit(std::move(before_id), limit, std::move(done));
}

Status ControlPlane::writable() const { return impl_->writable(); }

}  // namespace fermata::control
