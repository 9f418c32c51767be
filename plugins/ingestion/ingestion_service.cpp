#include "ingestion_service.hpp"

#include "http/endpoint.hpp"
#include "text/text.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;

constexpr const char* kTopic = "backbeat-ingestion";
constexpr const char* kClaim = "store";
/// Enough for one transaction to be written while the next is made.
constexpr std::uint32_t kMaxInFlight = 4'000;
constexpr std::string_view kSlash = "%2F";

json::object to_json(const LogReader::Details& details) {
  json::object out{{"session", details.session}, {"next", details.position.next}};
  if (details.cseq > 0) out["cseq"] = details.cseq;
  out["lag"] = details.lag;
  out["lost"] = details.position.lost;
  out["tooLarge"] = details.position.too_large;
  if (details.no_session) out["unknownToSource"] = true;
  return out;
}

}  // namespace

Status IngestionService::init(sdk::Host& host, std::string_view config) {
  host_ = &host;
  auto settings = parse_settings(config);
  if (!settings) return settings.status();
  settings_ = std::move(*settings);
  if (settings_.store) writer_.emplace(host);
  routes_.emplace(host, settings_);
  if (auto status = routes_->add(); !status) return status;
  for (const auto& location : settings_.locations)
    if (auto status = add_location(location); !status) return status;
  return Status::ok();
}

Status IngestionService::add_location(const LocationSettings& settings) {
  Location& location = *locations_.emplace_back(std::make_unique<Location>());
  location.settings = &settings;
  for (const auto& bucket : settings.buckets) {
    location.targets.emplace(bucket.target, &bucket);
    location.in_keys.emplace(text::encode_uri_component(bucket.target), &bucket);
  }
  for (const auto session : settings.sessions)
    if (auto status = add_reader(location, session); !status) return status;
  if (!settings_.store) return Status::ok();
  const auto stored = [&](const char* result) {
    return host_->counter("ingestion_stored_total", "Changes that came to the store, by what became of them",
                          {{"location", settings.name}, {"result", result}});
  };
  location.metrics = {stored("written"), stored("same"), stored("stale")};
  sdk::Processor processor;
  processor.name = "store-" + settings.name;
  processor.topic = kTopic;
  processor.group = "ingestion-" + settings.name;
  processor.max_in_flight = kMaxInFlight;
  processor.process = [this, &location](const sdk::Record& record, sdk::Delivery delivery) {
    process(location, record, std::move(delivery));
  };
  return host_->register_processor(std::move(processor));
}

Status IngestionService::add_reader(Location& location, std::int64_t session) {
  auto endpoint = http::Endpoint::parse(location.settings->endpoint);
  if (!endpoint) return endpoint.status();
  LogReader& reader = *location.readers.emplace_back(
      std::make_unique<LogReader>(*host_, *location.settings, session, settings_.instance_id, std::move(*endpoint), LogReader::Options()));
  return host_->register_populator(
      {reader.name(), kTopic, location.settings->name,
       [&reader](std::string_view checkpoint, sdk::Batch batch) { reader.poll(checkpoint, std::move(batch)); }});
}

Status IngestionService::start() {
  if (settings_.store)
    if (auto status = start_store(); !status) return status;
  for (const auto& location : locations_)
    for (const auto& reader : location->readers) reader->start();
  return Status::ok();
}

Status IngestionService::start_store() {
  auto store = MetadataStore::open(*settings_.store);
  if (!store) return store.status();
  const std::string id = store->id();
  const auto refusal = claim(id);
  if (!refusal) return refusal.status();
  if (!refusal->empty()) return {Code::kFailedPrecondition, *refusal};
  if (auto status = routes_->open(); !status) return status;
  writer_->start(std::move(*store), [this, id] {
    const auto lost = claim(id);
    return lost ? *lost : std::string();  // whoever cannot be asked now is asked again
  });
  return Status::ok();
}

Result<std::string> IngestionService::claim(const std::string& store_id) const {
  const auto owner = host_->kv_get(kClaim);
  if (!owner) return owner.status();
  if (*owner && **owner == store_id) return std::string();
  if (!*owner || **owner == settings_.store->replaces) {
    if (auto status = host_->kv_put(kClaim, store_id); !status) return status;
    return std::string();
  }
  return "the service has another store already (its id is " + **owner + ", that of " + settings_.store->path + " is " + store_id +
         "): set settings.store.type to elsewhere on all nodes but one, or move that file here, or, if it is gone, set " +
         "settings.store.replaces to " + **owner;
}

Status IngestionService::stop() {
  for (const auto& location : locations_)
    for (const auto& reader : location->readers) reader->stop();
  if (routes_) routes_->close();
  if (writer_) writer_->stop();
  return Status::ok();
}

Status IngestionService::pause(std::string_view location) {
  if (const auto* found = find(location))
    for (const auto& reader : found->readers) reader->hold();
  return Status::ok();
}

Status IngestionService::resume(std::string_view location) {
  if (const auto* found = find(location))
    for (const auto& reader : found->readers) reader->release();
  return Status::ok();
}

sdk::LocationStatus IngestionService::status(std::string_view location) {
  const Location* found = find(location);
  if (found == nullptr) return {};
  sdk::LocationStatus out;
  json::array sessions;
  for (const auto& reader : found->readers) {
    if (out.message.empty()) out.message = reader->trouble();
    if (const auto details = reader->details()) sessions.push_back(to_json(*details));
  }
  if (out.message.empty() && writer_) out.message = writer_->trouble();
  if (!out.message.empty()) out.state = sdk::LocationStatus::State::kDegraded;
  out.details_json = json::serialize(json::object{{"store", writer_ ? "here" : "elsewhere"}, {"sessions", std::move(sessions)}});
  return out;
}

IngestionService::Location* IngestionService::find(std::string_view name) {
  const auto found = std::find_if(locations_.begin(), locations_.end(), [name](const auto& one) { return one->settings->name == name; });
  return found == locations_.end() ? nullptr : found->get();
}

// Runs on a host worker, for many records at once: parsing is done here, only the writing stands in line.
void IngestionService::process(const Location& location, const sdk::Record& record, sdk::Delivery delivery) {
  // Records of other locations are most often told by their keys alone.
  const auto slash = record.key.find(kSlash);
  if (slash != std::string_view::npos && !location.in_keys.contains(record.key.substr(0, slash))) return delivery.done();
  auto change = parse_record(record.value);
  if (!change) return change.status().code() == Code::kNotFound ? delivery.done() : delivery.fail(change.status().message());
  const auto bucket = location.targets.find(change->bucket);
  if (bucket == location.targets.end()) return delivery.done();
  auto stored = transform(std::move(*change), *bucket->second, location.settings->name);
  if (!stored) return delivery.fail(stored.status().message());
  writer_->push(std::move(*stored), std::move(delivery), location.metrics);
}

}  // namespace fermata::ingestion
