#pragma once

#include "base/status.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace fermata::rest {

struct ClientRequest {
  std::string url = {};  ///< "http://127.0.0.1:8900"; anything after the port is put before `target`
  std::string method = "GET";
  std::string target = "/";  ///< path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::chrono::milliseconds timeout{30'000};
};

struct ClientResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};

/// One request on a connection of its own; blocks at most `timeout`. kUnavailable, naming the address, when nobody answers.
Result<ClientResponse> http_request(const ClientRequest& request);

}  // namespace fermata::rest
