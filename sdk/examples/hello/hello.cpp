#include "hello.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <fstream>
#include <memory>

namespace hello {

using fermata::sdk::Code;
using fermata::sdk::Status;
namespace sdk = fermata::sdk;
namespace json = boost::json;

namespace {

constexpr std::string_view kTopic = "hello";

std::string string_or(const json::object& object, std::string_view key, std::string_view otherwise) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? std::string(otherwise) : json::value_to<std::string>(*value);
}

}  // namespace

Status Hello::init(sdk::Host& host, std::string_view config) {
  host_ = &host;
  greeted_ = host.counter("hello_greetings_total", "Greetings said");
  if (auto status = read(config); !status) return status;
  if (auto status = register_processors(); !status) return status;
  if (auto status = register_ticker(); !status) return status;
  return add_routes();
}

// The host has held the configuration against the manifest's schemas; what is left is what a schema cannot say.
Status Hello::read(std::string_view config) {
  boost::system::error_code error;
  const auto document = json::parse(json::string_view(config.data(), config.size()), error);
  if (error || !document.is_object()) return {Code::kInvalidArgument, "the configuration is not a JSON object"};
  const json::object& root = document.get_object();
  if (const auto* settings = root.if_contains("settings")) {
    greeting_ = string_or(settings->as_object(), "greeting", greeting_);
    if (const auto* period = settings->as_object().if_contains("period_ms"))
      period_ = std::chrono::milliseconds(period->to_number<std::int64_t>());
  }
  const auto* locations = root.if_contains("locations");
  if (locations == nullptr) return Status::ok();
  for (const auto& entry : locations->as_array()) {
    const auto [location, is_new] = locations_.try_emplace(json::value_to<std::string>(entry.at("name")));
    if (!is_new) return {Code::kInvalidArgument, "locations: name '" + location->first + "' stands twice; rename or remove one"};
    location->second.path = string_or(entry.as_object(), "path", {});
  }
  return Status::ok();
}

Status Hello::register_processors() {
  for (auto& [name, location] : locations_) {
    auto status = host_->register_processor(
        {.name = "greeter-" + name,
         .topic = std::string(kTopic),
         .location = name,
         .process = [this, &at = location](const sdk::Record& record, sdk::Delivery delivery) { greet(at, record, std::move(delivery)); }});
    if (!status) return status;
  }
  return Status::ok();
}

// The checkpoint is the number of ticks so far, as text: what is durable together with the records it stands for.
Status Hello::register_ticker() {
  if (period_.count() == 0) return Status::ok();
  return host_->register_populator(
      {.name = "ticker", .topic = std::string(kTopic), .poll = [this](std::string_view checkpoint, sdk::Batch batch) {
         std::uint64_t ticks = 0;
         std::from_chars(checkpoint.data(), checkpoint.data() + checkpoint.size(), ticks);
         const std::string next = std::to_string(ticks + 1);
         if (auto status = batch.emit("tick", "tick " + next); !status) return batch.fail(status);
         batch.finish(next, period_);
       }});
}

Status Hello::add_routes() {
  auto status = host_->add_route("GET", "greetings",
                                 [this](const sdk::HttpRequest&, sdk::Exchange exchange) { exchange.respond_json(greetings_json()); });
  if (!status) return status;
  return host_->add_route("POST", "greet", [this](const sdk::HttpRequest& request, sdk::Exchange exchange) {
    if (request.body.empty()) return exchange.respond_json(R"({"error":"send the name to greet as the body"})", 400);
    // The answer waits until the record is durable; a std::function must be copyable, so the exchange moves to the heap.
    auto answer = std::make_shared<sdk::Exchange>(std::move(exchange));
    const auto produced = host_->produce(kTopic, request.body, request.body, [answer](const Status& status_of_record) {
      status_of_record ? answer->respond_json("{}", 202) : answer->respond_json(R"({"error":"not stored; try again"})", 503);
    });
    if (!produced) answer->respond_json(R"({"error":"not stored; try again"})", 503);
  });
}

// Runs on a host worker, for many records at once. A line in a local file is quick; a network call would be begun here and
// the delivery completed when its answer comes.
void Hello::greet(Location& location, const sdk::Record& record, sdk::Delivery delivery) {
  if (record.value.empty()) return delivery.fail("nobody to greet: the record has no value");
  if (!location.path.empty()) {
    if (auto status = append_line(location, record.value); !status) return delivery.finish(status);
  }
  ++location.greetings;
  greeted_.record(1);
  delivery.done();
}

Status Hello::append_line(Location& location, std::string_view name) {
  const std::lock_guard lock(location.mutex);
  std::ofstream file(location.path, std::ios::app);
  file << greeting_ << ", " << name << '\n' << std::flush;
  location.problem = file ? "" : "cannot append to '" + location.path + "': check that its folder exists and may be written";
  return file ? Status::ok() : Status(Code::kUnavailable, location.problem);
}

sdk::LocationStatus Hello::status(std::string_view name) {
  const auto found = locations_.find(name);
  if (found == locations_.end()) return {};
  Location& location = found->second;
  const std::lock_guard lock(location.mutex);
  if (location.problem.empty()) return {};
  return {.state = sdk::LocationStatus::State::kDegraded, .message = location.problem};
}

std::string Hello::greetings_json() const {
  json::object counts;
  for (const auto& [name, location] : locations_) counts[name] = location.greetings.load();
  return json::serialize(counts);
}

}  // namespace hello
