#include "control/foreign_commands.hpp"

#include "control/transitions.hpp"

#include <utility>

namespace fermata::control {
namespace {

constexpr std::size_t kMaxQueue = 10'000;
constexpr std::string_view kBy = "backbeat";

}  // namespace

ForeignCommands::ForeignCommands(const ControlPlane::Dependencies& dependencies, Turns turns, Changes& changes)
    : dependencies_(dependencies), turns_(std::move(turns)), changes_(changes) {}

void ForeignCommands::start() {
  campaign_ = dependencies_.leases.campaign("foreign-commands",
                                            {[leads = leads_](std::uint64_t) { *leads = true; }, [leads = leads_] { *leads = false; }});
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
  next();
}

void ForeignCommands::next() {
  if (busy_ || queue_.empty()) return;
  busy_ = true;
  Change change = std::move(queue_.front());
  queue_.pop_front();
  // For Backbeat a date that has passed means now.
  if (change.kind == Change::Kind::kSchedule && *change.at <= dependencies_.clock.now()) {
    change.kind = Change::Kind::kResume;
    change.at.reset();
  }
  changes_.request(change, [this, change](const Result<std::vector<Changed>>& result) {
    if (!result)
      dependencies_.log.error("control", "a foreign command failed",
                              {{"action", to_string(change.kind)},
                               {"service", change.service},
                               {"location", change.location},
                               {"error", result.status().message()}});
    busy_ = false;
    turns_.post([this] { next(); });
  });
}

}  // namespace fermata::control
