#pragma once

#include "app/cli_world.hpp"

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace fermata::app {

/// Runs command lines against answers that the test prepares, and keeps what was asked and printed.
class FakeDaemon {
 public:
  /// Answers "METHOD target" from now on.
  void answer(const std::string& request, std::string body, int status = 200) {
    answers_[request] = {status, "application/json", std::move(body)};
  }
  /// The next answers to "METHOD target", one each; the last one stays.
  void answer_in_turn(const std::string& request, std::vector<std::string> bodies) {
    for (auto& body : bodies) queued_[request].push_back({200, "application/json", std::move(body)});
  }
  void go_away() { gone_ = true; }

  int run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    const CliWorld world{
        .serve =
            [this](const ServeOptions& options) {
              served = options;
              return 0;
            },
        .transport = [this](const rest::ClientRequest& request) { return respond(request); },
        .check_plugin = [this](const std::string&) { return checks; },
        .run_one_check = [this](const std::string& name, const std::string& file) { return run_check = name + " " + file, 2; },
        .check_extensions = [this](const config::Config&) { return extension_problems; },
        .by = "alice@desk",
        .out = out_,
        .err = err_,
    };
    return run_cli(std::move(arguments), world);
  }

  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  std::vector<rest::ClientRequest> requests = {};
  std::optional<ServeOptions> served = {};
  std::vector<plugin::CheckResult> checks = {};
  std::string run_check = {};
  std::vector<config::Problem> extension_problems = {};

 private:
  Result<rest::ClientResponse> respond(const rest::ClientRequest& request) {
    requests.push_back(request);
    if (gone_) return Status(Code::kUnavailable, "no answer from " + request.url);
    const std::string key = request.method + " " + request.target;
    if (auto queued = queued_.find(key); queued != queued_.end()) {
      auto response = queued->second.front();
      if (queued->second.size() > 1) queued->second.erase(queued->second.begin());
      return response;
    }
    if (const auto found = answers_.find(key); found != answers_.end()) return found->second;
    return rest::ClientResponse{404, "application/problem+json", R"({"status":404,"detail":"there is no )" + key + "\"}"};
  }

  std::map<std::string, rest::ClientResponse> answers_;
  std::map<std::string, std::vector<rest::ClientResponse>> queued_;
  bool gone_ = false;
  std::ostringstream out_;
  std::ostringstream err_;
};

}  // namespace fermata::app
