#pragma once

#include <fermata/sdk/service_extension.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace hello {

/// Greets every record of the topic "hello", once per location: counts it and, if the location has a path, appends a line.
/// A populator may add a tick now and then, and POST greet a name.
class Hello final : public fermata::sdk::ServiceExtension {
 public:
  fermata::sdk::Status init(fermata::sdk::Host& host, std::string_view config) override;
  fermata::sdk::LocationStatus status(std::string_view location) override;

 private:
  struct Location {
    std::string path;  // empty: nothing is written
    std::atomic<std::uint64_t> greetings{0};
    std::mutex mutex;     // one line at a time; guards problem
    std::string problem;  // why the last line could not be written
  };

  fermata::sdk::Status read(std::string_view config);
  fermata::sdk::Status register_processors();
  fermata::sdk::Status register_ticker();
  fermata::sdk::Status add_routes();

  void greet(Location& location, const fermata::sdk::Record& record, fermata::sdk::Delivery delivery);
  fermata::sdk::Status append_line(Location& location, std::string_view name);
  std::string greetings_json() const;

  fermata::sdk::Host* host_ = nullptr;
  fermata::sdk::Metric greeted_;
  std::string greeting_ = "hello";
  std::chrono::milliseconds period_{0};
  std::map<std::string, Location, std::less<>> locations_;  // by name; no entry comes or goes after init
};

}  // namespace hello
