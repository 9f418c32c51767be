// A service that writes down what it is handed. Each delivery that ends is one line of `output`:
//   location partition offset attempt key value node unix_ns outcome
// appended by one write, so the files of several nodes, sorted by time, tell who did what and in which order. The journal's
// record n (from 0) has the key "k<n mod keys>" and n as its value: a gap, a loss or a change of order shows at once.
#include <fermata/sdk/plugin.hpp>
#include <fermata/sdk/service_extension.hpp>

#include <boost/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace {

namespace sdk = fermata::sdk;
namespace json = boost::json;
using sdk::Code;
using sdk::Status;

constexpr std::string_view kTopic = "probe";

std::int64_t number_or(const json::object& object, std::string_view key, std::int64_t otherwise) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? otherwise : value->to_number<std::int64_t>();
}

class Probe final : public sdk::ServiceExtension {
 public:
  ~Probe() override {
    if (file_ >= 0) ::close(file_);
  }

  Status init(sdk::Host& host, std::string_view config) override {
    host_ = &host;
    const auto document = json::parse(json::string_view(config.data(), config.size())).as_object();
    const auto& settings = document.at("settings").as_object();
    node_ = json::value_to<std::string>(settings.at("node"));
    delay_ = std::chrono::milliseconds(number_or(settings, "delay_ms", 0));
    retry_every_ = number_or(settings, "retry_every", 0);
    if (const auto* key = settings.if_contains("fail_key")) fail_key_ = json::value_to<std::string>(*key);
    output_ = json::value_to<std::string>(settings.at("output"));
    for (const auto& location : document.at("locations").as_array())
      if (auto status = register_location(json::value_to<std::string>(location.at("name"))); !status) return status;
    const auto* journal = settings.if_contains("journal");
    return journal == nullptr ? Status::ok() : register_journal(journal->as_object());
  }

 private:
  Status register_location(const std::string& location) {
    return host_->register_processor({.name = "probe-" + location,
                                      .topic = std::string(kTopic),
                                      .location = location,
                                      .process = [this, location](const sdk::Record& record, sdk::Delivery delivery) {
                                        const std::string outcome = choose(record);
                                        end_later(line(location, record, outcome), outcome, std::move(delivery));
                                      }});
  }

  // The checkpoint is the number of the next record, as text.
  Status register_journal(const json::object& journal) {
    const auto keys = static_cast<std::uint64_t>(number_or(journal, "keys", 1));
    const auto end = static_cast<std::uint64_t>(number_or(journal, "records", 0));
    const auto per_poll = static_cast<std::uint64_t>(number_or(journal, "per_poll", 1));
    const std::chrono::milliseconds period(number_or(journal, "period_ms", 0));
    return host_->register_populator(
        {.name = "journal", .topic = std::string(kTopic), .poll = [=](std::string_view checkpoint, sdk::Batch batch) {
           std::uint64_t next = 0;
           std::from_chars(checkpoint.data(), checkpoint.data() + checkpoint.size(), next);
           for (std::uint64_t count = 0; count < per_poll && (end == 0 || next < end); ++count, ++next)
             if (!batch.emit("k" + std::to_string(next % keys), std::to_string(next))) break;
           batch.finish(std::to_string(next), period);
         }});
  }

  std::string choose(const sdk::Record& record) const {
    if (!fail_key_.empty() && record.key == fail_key_) return "failed";
    return retry_every_ > 0 && record.attempt == 1 && record.offset % retry_every_ == 0 ? "retry" : "done";
  }

  std::string line(const std::string& location, const sdk::Record& record, const std::string& outcome) const {
    std::string text = location + ' ' + std::to_string(record.partition) + ' ' + std::to_string(record.offset) + ' ';
    text += std::to_string(record.attempt) + ' ' + std::string(record.key) + ' ' + std::string(record.value) + ' ' + node_;
    return text + ' ' + std::to_string(host_->now().time_since_epoch().count()) + ' ' + outcome + '\n';
  }

  void end_later(std::string text, const std::string& outcome, sdk::Delivery delivery) {
    if (delay_.count() == 0) return end(text, outcome, delivery);
    auto kept = std::make_shared<sdk::Delivery>(std::move(delivery));  // a std::function must be copyable
    host_->post_after(delay_, [this, text = std::move(text), outcome, kept] { end(text, outcome, *kept); });
  }

  void end(const std::string& text, const std::string& outcome, sdk::Delivery& delivery) {
    // Only now, so that checking this plugin leaves no file behind.
    std::call_once(opened_, [this] { file_ = ::open(output_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644); });
    if (::write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return delivery.retry("cannot write to the output");
    if (outcome == "done") return delivery.done();
    outcome == "retry" ? delivery.retry("asked to be retried") : delivery.fail("asked to fail");
  }

  sdk::Host* host_ = nullptr;
  std::string node_;
  std::string output_;
  std::string fail_key_;
  std::chrono::milliseconds delay_{0};
  std::int64_t retry_every_ = 0;
  std::once_flag opened_;
  int file_ = -1;
};

}  // namespace

FERMATA_PLUGIN("probe", "1.0.0", fermata::sdk::service<Probe>("probe"))
