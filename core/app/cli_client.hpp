#pragma once

#include "app/cli_world.hpp"

#include <boost/json/fwd.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace fermata::app {

/// The daemon's API as the CLI sees it. Errors: kUnavailable nobody answers, kNotFound, kFailedPrecondition refused (4xx),
/// kInternal everything else; the message is the daemon's own.
class ApiClient {
 public:
  ApiClient(const CliWorld& world, const GlobalOptions& options) : world_(world), options_(options) {}

  const CliWorld& world() const { return world_; }
  const GlobalOptions& options() const { return options_; }

  /// @param target  percent-encoded path and query.
  /// @param wait    how long the daemon may take on top of an ordinary answer.
  Result<std::string> call(std::string_view method, const std::string& target, const std::string& body = {},
                           std::chrono::milliseconds wait = {}) const;

  /// All items of a paged list: follows "next" as the query parameter `cursor`, at most kMaxPages pages.
  Result<boost::json::value> list(const std::string& target, std::string_view key, std::string_view cursor) const;

  /// Prints the error and returns its exit code.
  int fail(const Status& status) const;

 private:
  const CliWorld& world_;
  const GlobalOptions& options_;
};

/// "/api/v1/services/<service>/locations/<location>" + suffix.
std::string location_path(std::string_view service, std::string_view location, std::string_view suffix = {});
std::string service_path(std::string_view service, std::string_view suffix = {});

}  // namespace fermata::app
