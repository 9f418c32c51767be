#include "control/foreign_commands.hpp"

#include "control/transitions.hpp"

#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kMaxQueue = 10'000;
constexpr std::string_view kBy = "backbeat";
constexpr std::string_view kLease = "foreign-commands";

}  // namespace

ForeignCommands::ForeignCommands(const ControlPlane::Options& options, const ControlPlane::Dependencies& dependencies, Turns turns,
                                 Changes& changes)
    : node_id_(options.node_id), dependencies_(dependencies), turns_(std::move(turns)), changes_(changes) {}

void ForeignCommands::start() {
  campaign_ =
      dependencies_.leases.campaign(kLease, {[leads = leads_](std::uint64_t) { *leads = true; }, [leads = leads_] { *leads = false; }});
}

void ForeignCommands::stop() { campaign_.reset(); }

void ForeignCommands::take(const std::string& service, const std::string& location, const Message& message) {
  if (!*leads_) return;
  if (message.kind == Message::Kind::kRefused || queue_.size() >= kMaxQueue) {
    const std::string problem = message.kind == Message::Kind::kRefused ? message.problem : "too many commands wait";
    dependencies_.log.error("control", "a foreign command is refused",
                            {{"service", service}, {"location", location}, {"problem", problem}});
    return;
  }
  queue_.push_back({message.command, service, location, message.at, {}, std::string(kBy)});
  turns_.post([this] { next(); });  // after the hints that came along, as it waits for the store
}

void ForeignCommands::next() {
  if (busy_ || queue_.empty()) return;
  busy_ = true;
  Change change = std::move(queue_.front());
  queue_.pop_front();
  if (const Status leads = check_lease(); !leads) return finish(change, leads);
  // For Backbeat a date that has passed means now.
  if (change.kind == Change::Kind::kSchedule && *change.at <= dependencies_.clock.now()) {
    change.kind = Change::Kind::kResume;
    change.at.reset();
  }
  changes_.request(change, [this, change](const Result<std::vector<Changed>>& result) { finish(change, result.status()); });
}

// A node that was stopped for longer than the lease time wakes up with commands that the next holder has carried out, and
// maybe before it is told that it lost the lease.
Status ForeignCommands::check_lease() const {
  if (!*leads_) return {Code::kAborted, "this node lost the lease before it was its turn"};
  if (const Health health = dependencies_.store.health(); !health.ok) return {Code::kUnavailable, health.reason};
  const auto holder = dependencies_.leases.holder(kLease);
  if (!holder) return holder.status();
  if (*holder != node_id_) return {Code::kAborted, "node '" + *holder + "' holds the lease now"};
  return Status::ok();
}

void ForeignCommands::finish(const Change& change, const Status& status) {
  if (!status)
    dependencies_.log.error(
        "control", "a foreign command failed",
        {{"action", to_string(change.kind)}, {"service", change.service}, {"location", change.location}, {"error", status.message()}});
  busy_ = false;
  turns_.post([this] { next(); });
}

}  // namespace fermata::control
