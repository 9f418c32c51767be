#include "crr_service.hpp"

#include "journal/filesystem_journal.hpp"
#include "journal/inotify_watcher.hpp"
#include "store/filesystem_source.hpp"
#include "store/filesystem_store.hpp"
#include "store/s3_access.hpp"
#include "store/s3_multipart.hpp"
#include "store/s3_source.hpp"
#include "store/s3_store.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace fermata::crr {
namespace {

using namespace std::chrono_literals;

constexpr auto kProbeInterval = 1s;
/// What the host hands out of one location at one time, whatever its configuration says, is what the pool has room for.
constexpr std::uint32_t kMaxWaitingPerLocation = 64;
constexpr const char* kTopic = "backbeat-replication";
constexpr const char* kJournal = "journal";
constexpr const char* kScan = "scan";

/// A delivery on its way through the pool. An outage is nothing the record can help, nor is a service that stops or has too
/// much to do: it waits for the end of it and is never given up.
class OpenDelivery {
 public:
  explicit OpenDelivery(sdk::Delivery delivery) : delivery_(std::move(delivery)) {}
  ~OpenDelivery() { delivery_.postpone("too many copies wait already, or the service is stopping"); }
  OpenDelivery(const OpenDelivery&) = delete;
  OpenDelivery& operator=(const OpenDelivery&) = delete;

  void finish(const Status& status) {
    status.code() == Code::kUnavailable ? delivery_.postpone(status.message()) : delivery_.finish(status);
  }

 private:
  sdk::Delivery delivery_;
};

}  // namespace

Status CrrService::init(sdk::Host& host, std::string_view config) {
  host_ = &host;
  auto settings = parse_settings(config);
  if (!settings) return settings.status();
  settings_ = std::move(*settings);
  rules_.emplace(settings_.rules, settings_.location_names());
  object_routes_.emplace(host, settings_.location_names());
  if (auto status = object_routes_->add(); !status) return status;
  failed_routes_.emplace(host, settings_.location_names());
  if (auto status = failed_routes_->add(); !status) return status;
  const auto source = make_source();
  if (!source) return source.status();
  if (auto status = register_journals(); !status) return status;
  return register_locations(*source);
}

Result<std::shared_ptr<s3::Client>> CrrService::make_client(const S3Settings& settings) {
  auto client = make_s3_client(settings, settings_.workers * (MultipartCopy::kParallel + 1));
  if (client) clients_.push_back(*client);
  return client;
}

Result<std::shared_ptr<ObjectSource>> CrrService::make_source() {
  const SourceSettings& settings = settings_.source;
  if (settings.type == SourceSettings::Type::kS3) {
    auto client = make_client(settings.s3);
    if (!client) return client.status();
    source_client_ = *client;
    source_watch_.emplace(*host_, settings.s3.endpoint, [client = *client] {
      const auto there = client->ping();
      return there ? there : Status(Code::kUnavailable, "source-unreachable: " + there.message());
    });
    return std::shared_ptr<ObjectSource>(std::make_shared<S3Source>(std::move(*client), cancellation_));
  }
  source_root_ = std::make_shared<const SourceRoot>(settings.path, [host = host_] {
    const auto known = JournalIndex(*host).scan("", "", 1);
    return !known || !known->empty();
  });
  source_watch_.emplace(*host_, settings.path, [root = source_root_] { return root->open().status(); });
  return std::shared_ptr<ObjectSource>(std::make_shared<FilesystemSource>(source_root_, cancellation_));
}

Result<std::unique_ptr<ObjectStore>> CrrService::make_store(const LocationSettings& location) {
  if (location.type == LocationSettings::Type::kFilesystem)
    return std::unique_ptr<ObjectStore>(std::make_unique<FilesystemStore>(location.name, location.path, cancellation_));
  auto client = make_client(location.s3);
  if (!client) return client.status();
  return std::unique_ptr<ObjectStore>(std::make_unique<S3Store>(location, std::move(*client), *host_));
}

Status CrrService::register_journals() {
  for (const auto& journal : settings_.journals) {
    Status status;
    switch (journal.type) {
      case JournalSettings::Type::kFilesystem: status = add_filesystem_journal(journal); break;
      case JournalSettings::Type::kS3Events: status = intake().add(journal.topic); break;
      case JournalSettings::Type::kS3Webhook:
        webhook_.emplace(*host_, intake(), journal.token);
        status = webhook_->add();
        break;
      case JournalSettings::Type::kScan: status = add_scan(journal); break;
    }
    if (!status) return status;
  }
  return Status::ok();
}

Status CrrService::add_filesystem_journal(const JournalSettings& journal) {
  const auto make_watcher = [path = source_root_->path()] { return InotifyWatcher::create(path); };
  return register_journal(
      kJournal, std::make_unique<FilesystemJournal>(*host_, kJournal, source_root_, journal, settings_.location_names(), make_watcher));
}

EventIntake& CrrService::intake() {
  if (!intake_) intake_.emplace(*host_, *rules_, kTopic);
  return *intake_;
}

Status CrrService::add_scan(const JournalSettings& journal) {
  auto scan = std::make_unique<ScanJournal>(*host_, *rules_, std::make_unique<S3VersionListing>(source_client_), journal.interval,
                                            scan_digest(settings_));
  scan_ = scan.get();
  return register_journal(kScan, std::move(scan));
}

Status CrrService::register_journal(std::string name, std::unique_ptr<Journal> journal) {
  Journal& registered = *journals_.emplace_back(std::move(journal));
  return host_->register_populator({std::move(name), kTopic, "", [&registered](std::string_view checkpoint, sdk::Batch batch) {
                                      registered.poll(std::string(checkpoint), std::move(batch));
                                    }});
}

Status CrrService::register_locations(const std::shared_ptr<ObjectSource>& source) {
  const std::size_t lanes = std::max<std::size_t>(1, settings_.locations.size());
  pool_.emplace(settings_.workers, lanes, lanes * kMaxWaitingPerLocation);
  prober_.emplace(kProbeInterval, [this](const std::function<bool()>& stopping) { probe(stopping); });
  const auto history_copied = [this] { return scan_ == nullptr || scan_->has_finished(); };
  for (const auto& location : settings_.locations) {
    const std::size_t lane = replicators_.size();
    auto store = make_store(location);
    if (!store) return store.status();
    replicators_.push_back(std::make_unique<Replicator>(*host_, location.name, *rules_, source, std::move(*store),
                                                        Replicator::Options{location.error_rate, history_copied}));
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
  for (const auto& client : clients_) client->resume();
  pool_->start();
  prober_->start();
  if (intake_) intake_->start();
  for (const auto& journal : journals_)
    if (auto status = journal->start(); !status) return status;
  return Status::ok();
}

Status CrrService::stop() {
  cancellation_.cancel();
  for (const auto& client : clients_) client->interrupt();
  if (intake_) intake_->stop();
  for (const auto& journal : journals_) journal->stop();
  if (prober_) prober_->stop();
  if (pool_) pool_->stop();
  return Status::ok();
}

sdk::LocationStatus CrrService::status(std::string_view location) {
  std::string reason = source_watch_->problem();
  for (const auto& replicator : replicators_)
    if (reason.empty() && replicator->location() == location) reason = replicator->degraded();
  for (const auto& journal : journals_)
    if (reason.empty()) reason = journal->degraded();
  if (reason.empty()) return {};
  return {sdk::LocationStatus::State::kDegraded, std::move(reason)};
}

void CrrService::process(std::size_t lane, const sdk::Record& record, sdk::Delivery delivery) {
  auto parsed = parse_record(record.value);
  if (!parsed) return delivery.fail(parsed.status().message());
  Replicator& replicator = *replicators_[lane];
  if (!parsed->names(replicator.location())) return delivery.done();
  const auto open = std::make_shared<OpenDelivery>(std::move(delivery));
  pool_->post(lane,
              [&replicator, parsed = std::move(*parsed), open,
               attempt = Attempt{record.attempt, record.last_attempt, record.timestamp_ms, record.redelivered, std::string(record.id)}] {
                try {
                  open->finish(replicator.replicate(parsed, attempt));
                } catch (const std::exception& error) {
                  open->finish(Status(Code::kAborted, error.what()));
                }
              });
}

void CrrService::probe(const std::function<bool()>& stopping) {
  source_watch_->probe();
  for (const auto& replicator : replicators_) {
    if (stopping()) return;
    replicator->probe();
  }
}

}  // namespace fermata::crr
