#include "app/cli_client.hpp"

#include "app/cli_output.hpp"
#include "base/percent.hpp"

#include <boost/json.hpp>

#include <ostream>

namespace fermata::app {
namespace {

constexpr std::chrono::milliseconds kPatience{30'000};
constexpr int kMaxPages = 1'000;

/// What the daemon says went wrong: a problem's detail, or the body as it is.
std::string error_text(const rest::ClientResponse& response) {
  const auto problem = parse_or_null(response.body);
  for (const auto key : {"detail", "description", "title"})
    if (auto text = text_at(problem, {key}); !text.empty()) return text;
  return "the daemon answered " + std::to_string(response.status) + (response.body.empty() ? "" : ": " + response.body);
}

Status to_status(const rest::ClientResponse& response) {
  constexpr int kNotFound = 404;
  if (response.status >= 200 && response.status < 300) return Status::ok();
  if (response.status == kNotFound) return {Code::kNotFound, error_text(response)};
  return {response.status >= 400 && response.status < 500 ? Code::kFailedPrecondition : Code::kInternal, error_text(response)};
}

}  // namespace

Result<std::string> ApiClient::call(std::string_view method, const std::string& target, const std::string& body,
                                    std::chrono::milliseconds wait) const {
  rest::ClientRequest request;
  request.url = options_.url;
  request.method = method;
  request.target = target;
  request.headers = {{"X-Fermata-By", world_.by}, {"Accept", "application/json"}};
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  request.timeout = kPatience + wait;
  auto response = world_.transport(request);
  if (!response) return response.status();
  if (auto status = to_status(*response); !status) return status;
  return std::move(response->body);
}

Result<boost::json::value> ApiClient::list(const std::string& target, std::string_view key, std::string_view cursor) const {
  boost::json::array items;
  std::string next;
  for (int page = 0; page < kMaxPages; ++page) {
    std::string page_target = target;
    if (!next.empty())
      page_target.append(target.find('?') == target.npos ? "?" : "&").append(cursor).append("=").append(percent_encode(next));
    const auto body = call("GET", page_target);
    if (!body) return body.status();
    const auto value = parse_or_null(*body);
    for (const auto& item : list_at(value, key)) items.push_back(item);
    next = text_at(value, {"next"});
    if (next.empty()) return boost::json::value{{key, std::move(items)}};
  }
  return Status(Code::kInternal, "the list at " + target + " does not end");
}

int ApiClient::fail(const Status& status) const {
  world_.err << "fermata: " << printable(status.message()) << '\n';
  switch (status.code()) {
    case Code::kUnavailable: return kExitUnreachable;
    case Code::kNotFound: return kExitNotFound;
    case Code::kFailedPrecondition: return kExitRefused;
    case Code::kInvalidArgument: return kExitUsage;
    default: return kExitFailed;
  }
}

std::string service_path(std::string_view service, std::string_view suffix) {
  return "/api/v1/services/" + percent_encode(service) + std::string(suffix);
}

std::string location_path(std::string_view service, std::string_view location, std::string_view suffix) {
  return service_path(service, "/locations/" + percent_encode(location) + std::string(suffix));
}

}  // namespace fermata::app
