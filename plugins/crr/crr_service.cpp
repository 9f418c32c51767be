#include "crr_service.hpp"

#include "filesystem_journal.hpp"
#include "filesystem_source.hpp"
#include "filesystem_store.hpp"
#include "inotify_watcher.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace fermata::crr {
namespace {

using namespace std::chrono_literals;

constexpr auto kProbeInterval = 5s;
/// What the host hands out of one location at one time, whatever its configuration says, is what the pool has room for.
constexpr std::uint32_t kMaxWaitingPerLocation = 64;
constexpr const char* kTopic = "backbeat-replication";
constexpr const char* kJournal = "journal";

/// An outage is nothing the record can help: it waits for the end of it and is never given up.
void finish(sdk::Delivery& delivery, const Status& status) {
  status.code() == Code::kUnavailable ? delivery.postpone(status.message()) : delivery.finish(status);
}

}  // namespace

Status CrrService::init(sdk::Host& host, std::string_view config) {
  host_ = &host;
  auto settings = parse_settings(config);
  if (!settings) return settings.status();
  settings_ = std::move(*settings);
  source_root_ = std::make_shared<const SourceRoot>(settings_.source_path, [&host] {
    const auto known = JournalIndex(host).scan("", "", 1);
    return !known || !known->empty();
  });
  routes_.emplace(host, settings_.location_names());
  if (auto status = routes_->add(); !status) return status;
  if (auto status = register_journal(source_root_); !status) return status;
  return register_locations(std::make_shared<FilesystemSource>(source_root_, cancellation_));
}

Status CrrService::register_journal(std::shared_ptr<const SourceRoot> root) {
  const auto make_watcher = [path = root->path()] { return InotifyWatcher::create(path); };
  journal_ =
      std::make_unique<FilesystemJournal>(*host_, kJournal, std::move(root), settings_.journal, settings_.location_names(), make_watcher);
  return host_->register_populator({kJournal, kTopic, "", [this](std::string_view checkpoint, sdk::Batch batch) {
                                      journal_->poll(std::string(checkpoint), std::move(batch));
                                    }});
}

Status CrrService::register_locations(std::shared_ptr<ObjectSource> source) {
  const std::size_t lanes = std::max<std::size_t>(1, settings_.locations.size());
  pool_.emplace(settings_.workers, lanes, lanes * kMaxWaitingPerLocation);
  prober_.emplace(kProbeInterval, [this](const std::function<bool()>& stopping) { probe(stopping); });
  for (const auto& location : settings_.locations) {
    const std::size_t lane = replicators_.size();
    auto store = std::make_unique<FilesystemStore>(location.name, location.path, cancellation_);
    replicators_.push_back(std::make_unique<Replicator>(*host_, location.name, source, std::move(store)));
    sdk::Processor processor;
    processor.name = "replicate-" + location.name;
    processor.topic = kTopic;
    processor.location = location.name;
    processor.max_in_flight = kMaxWaitingPerLocation;
    processor.process = [this, lane](const sdk::Record& record, sdk::Delivery delivery) { process(lane, record, std::move(delivery)); };
    if (auto status = host_->register_processor(std::move(processor)); !status) return status;
  }
  return Status::ok();
}

Status CrrService::start() {
  cancellation_.reset();
  pool_->start();
  prober_->start();
  return journal_->start();
}

Status CrrService::stop() {
  cancellation_.cancel();
  if (journal_) journal_->stop();
  if (prober_) prober_->stop();
  if (pool_) pool_->stop();
  return Status::ok();
}

sdk::LocationStatus CrrService::status(std::string_view location) {
  std::string reason;
  {
    const std::lock_guard lock(mutex_);
    reason = source_problem_;
  }
  for (const auto& replicator : replicators_)
    if (reason.empty() && replicator->location() == location) reason = replicator->degraded();
  if (reason.empty()) reason = journal_->degraded();
  if (reason.empty()) return {};
  return {sdk::LocationStatus::State::kDegraded, std::move(reason)};
}

void CrrService::process(std::size_t lane, const sdk::Record& record, sdk::Delivery delivery) {
  auto parsed = parse_record(record.value);
  if (!parsed) return delivery.fail(parsed.status().message());
  Replicator& replicator = *replicators_[lane];
  if (!parsed->names(replicator.location())) return delivery.done();
  const auto open = std::make_shared<sdk::Delivery>(std::move(delivery));
  const bool posted = pool_->post(
      lane, [&replicator, parsed = std::move(*parsed), open, attempt = Attempt{record.attempt, record.last_attempt, record.timestamp_ms}] {
        try {
          finish(*open, replicator.replicate(parsed, attempt));
        } catch (const std::exception& error) {
          open->retry(error.what());
        }
      });
  if (!posted) open->postpone("too many copies wait already, or the service is stopping");
}

void CrrService::probe_source() {
  const auto root = source_root_->open();
  const std::string problem = root ? std::string() : root.status().message();
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(source_problem_, problem);
  }
  if (before.empty() && !problem.empty()) host_->warn(problem);
  if (!before.empty() && problem.empty()) host_->info("the source " + source_root_->path() + " is there again");
}

void CrrService::probe(const std::function<bool()>& stopping) {
  probe_source();
  for (const auto& replicator : replicators_) {
    if (stopping()) return;
    replicator->probe();
  }
}

}  // namespace fermata::crr
