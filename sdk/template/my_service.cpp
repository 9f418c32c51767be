#include <fermata/sdk/plugin.hpp>

#include <boost/json.hpp>

#include <string>
#include <utility>

namespace {

namespace sdk = fermata::sdk;

/// Takes every record of its topic, at each location, and says so.
class MyService final : public sdk::ServiceExtension {
 public:
  sdk::Status init(sdk::Host& host, std::string_view config) override {
    boost::system::error_code error;
    const auto document = boost::json::parse({config.data(), config.size()}, error);
    if (error || !document.is_object()) return {sdk::Code::kInvalidArgument, "the configuration is not a JSON object"};
    for (const auto& location : document.at("locations").as_array()) {
      auto status = add_location(host, boost::json::value_to<std::string>(location.at("name")));
      if (!status) return status;
    }
    return sdk::Status::ok();
  }

 private:
  static sdk::Status add_location(sdk::Host& host, const std::string& location) {
    return host.register_processor({.name = "taker-" + location,
                                    .topic = "my_service",
                                    .location = location,
                                    .process = [&host, location](const sdk::Record& record, sdk::Delivery delivery) {
                                      host.info("took " + std::string(record.key), location);
                                      delivery.done();
                                    }});
  }
};

}  // namespace

FERMATA_PLUGIN("my_service", "0.1.0", sdk::service<MyService>("my_service"))
