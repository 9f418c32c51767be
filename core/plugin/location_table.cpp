#include "plugin/location_table.hpp"

#include "base/random.hpp"

#include <chrono>
#include <utility>

namespace fermata::plugin {
namespace {

constexpr std::chrono::milliseconds kRetryFirst{1'000};
constexpr std::chrono::milliseconds kRetryMax{30'000};

}  // namespace

LocationTable::LocationTable(std::vector<std::string> names) : names_(std::move(names)) {
  for (const auto& name : names_) locations_.try_emplace(name);
}

LocationTable::Location* LocationTable::find(std::string_view name) {
  const auto found = locations_.find(name);
  return found == locations_.end() ? nullptr : &found->second;
}

void LocationTable::queue(std::string_view name, Location& location) {
  if (std::exchange(location.queued, true)) return;
  due_.push_back(name);
}

bool LocationTable::want(std::string_view name, bool paused) {
  const std::lock_guard lock(mutex_);
  const auto found = locations_.find(name);
  if (found == locations_.end()) return false;
  Location& location = found->second;
  if (location.progress.wanted_paused == paused) return false;
  location.progress.wanted_paused = paused;
  location.progress.done = false;
  location.progress.trouble.clear();
  location.failures = 0;
  failing_.erase(found->first);
  queue(found->first, location);
  return true;
}

bool LocationTable::wants_paused(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = locations_.find(name);
  return found == locations_.end() || found->second.progress.wanted_paused.value_or(true);
}

std::optional<LocationTable::Job> LocationTable::next() {
  const std::lock_guard lock(mutex_);
  if (due_.empty()) return std::nullopt;
  const std::string_view name = due_.front();
  due_.pop_front();
  Location& location = *find(name);
  location.queued = false;
  return Job{name, location.progress.wanted_paused.value_or(true)};
}

void LocationTable::finished(const Job& job, const Status& result, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  Location& location = *find(job.name);
  if (location.progress.wanted_paused != job.pause) return;
  location.progress.done = result.is_ok();
  location.progress.trouble = result.message();
  if (result) {
    location.failures = 0;
    return;
  }
  location.retry_at = now + backoff(++location.failures, kRetryFirst, kRetryMax);
  failing_[job.name] = &location;
}

void LocationTable::overran(std::string_view name, std::string message) {
  const std::lock_guard lock(mutex_);
  if (Location* location = find(name)) location->progress.trouble = std::move(message);
}

bool LocationTable::queue_due(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(failing_, [&](const auto& entry) {
    if (entry.second->retry_at > now) return false;
    queue(entry.first, *entry.second);
    return true;
  });
  return !due_.empty();
}

bool LocationTable::set_status(std::string_view name, PluginStatus status) {
  const std::lock_guard lock(mutex_);
  Location* location = find(name);
  if (location == nullptr || location->progress.status == status) return false;
  location->progress.status = std::move(status);
  return true;
}

std::optional<LocationProgress> LocationTable::progress(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = locations_.find(name);
  if (found == locations_.end()) return std::nullopt;
  return found->second.progress;
}

}  // namespace fermata::plugin
