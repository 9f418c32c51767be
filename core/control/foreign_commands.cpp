#include "control/foreign_commands.hpp"

#include "control/transitions.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kMaxQueue = 10'000;
constexpr std::chrono::seconds kKeep{60};
constexpr std::chrono::seconds kRetry{1};
constexpr std::chrono::seconds kHearing{1};
constexpr std::string_view kBy = "backbeat";
constexpr std::string_view kLease = "foreign-commands";

}  // namespace

ForeignCommands::ForeignCommands(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns,
                                 Changes& changes)
    : node_id_(options.node_id), dependencies_(dependencies), turns_(std::move(turns)), changes_(changes) {}

void ForeignCommands::start() { stand_while_hearing(); }

// A holder that hears nothing would keep those who hear from obeying.
void ForeignCommands::stand_while_hearing() {
  const bool hears = dependencies_.fanout.health().ok;
  if (!hears && campaign_) {
    campaign_.reset();
    *leads_ = false;
  }
  if (hears && !campaign_) stand();
  turns_.post_after(kHearing, [this] { stand_while_hearing(); });
}

void ForeignCommands::stand() {
  campaign_ = dependencies_.leases.campaign(kLease, {[this, leads = leads_, turns = turns_](std::uint64_t) mutable {
                                                       *leads = true;
                                                       turns.post([this] { next_soon(); });
                                                     },
                                                     [leads = leads_] { *leads = false; }});
}

void ForeignCommands::stop() { campaign_.reset(); }

void ForeignCommands::take(const std::string& service, const std::string& location, const Message& message) {
  forget_old();
  if (message.kind == Message::Kind::kRefused || queue_.size() >= kMaxQueue) {
    const std::string problem = message.kind == Message::Kind::kRefused ? message.problem : "too many commands wait";
    if (*leads_)
      dependencies_.log.error("control", "a foreign command is refused",
                              {{"service", service}, {"location", location}, {"problem", problem}});
    return;
  }
  queue_.push_back({{message.command, service, location, message.at, {}, std::string(kBy)}, dependencies_.clock.steady()});
  next_soon();  // after the hints that came along, as it waits for the store
}

void ForeignCommands::changed(const std::string& service, const std::string& location, std::string_view by) {
  const auto concerned = [&](const Heard& heard) { return heard.change.service == service && heard.change.location == location; };
  if (busy_ && concerned(*busy_)) return;  // that is our own doing
  if (by != kBy) {
    std::erase_if(queue_, concerned);
    return;
  }
  if (const auto carried_out = std::ranges::find_if(queue_, concerned); carried_out != queue_.end()) queue_.erase(carried_out);
}

void ForeignCommands::forget_old() {
  const auto limit = dependencies_.clock.steady() - kKeep;
  for (; !queue_.empty() && queue_.front().at < limit; queue_.pop_front())
    if (*leads_)
      dependencies_.log.error("control", "a foreign command could not be carried out in time and is dropped",
                              {{"action", to_string(queue_.front().change.kind)},
                               {"service", queue_.front().change.service},
                               {"location", queue_.front().change.location}});
}

// One at a time in the line of turns, so that operators do not wait behind a flood of commands.
void ForeignCommands::next_soon() {
  if (std::exchange(next_posted_, true)) return;
  turns_.post([this] { next(); });
}

void ForeignCommands::next() {
  next_posted_ = false;
  forget_old();
  if (busy_ || queue_.empty() || !*leads_) return;
  busy_ = std::move(queue_.front());
  queue_.pop_front();
  if (const Status leads = check_lease(); !leads) return finish(*busy_, leads);
  run(*busy_);
}

void ForeignCommands::run(const Heard& heard) {
  Change change = heard.change;
  // For Backbeat a date that has passed means now.
  if (change.kind == Change::Kind::kSchedule && *change.at <= dependencies_.clock.now()) {
    change.kind = Change::Kind::kResume;
    change.at.reset();
  }
  changes_.request(change, [this, heard](const Result<std::vector<Changed>>& result) { finish(heard, result.status()); });
}

// A node that was stopped for longer than the lease time wakes up with commands that the next holder has carried out, and
// maybe before it is told that it lost the lease.
Status ForeignCommands::check_lease() const {
  if (const Health health = dependencies_.store.health(); !health.ok) return {Code::kUnavailable, health.reason};
  const auto holder = dependencies_.leases.holder(kLease);
  if (!holder) return {Code::kUnavailable, holder.status().message()};
  if (*holder != node_id_) return {Code::kUnavailable, "node '" + *holder + "' holds the lease now"};
  return Status::ok();
}

// What failed for want of the store or the lease waits at the front for whoever has them next.
void ForeignCommands::finish(const Heard& heard, const Status& status) {
  const bool again = status.code() == Code::kUnavailable;
  if (!status && !again)
    dependencies_.log.error("control", "a foreign command failed",
                            {{"action", to_string(heard.change.kind)},
                             {"service", heard.change.service},
                             {"location", heard.change.location},
                             {"error", status.message()}});
  if (again) queue_.push_front(heard);
  busy_.reset();
  if (again)
    turns_.post_after(kRetry, [this] { next_soon(); });
  else
    next_soon();
}

}  // namespace fermata::control
