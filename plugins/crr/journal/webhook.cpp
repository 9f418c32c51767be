#include "journal/webhook.hpp"

#include "text/problem.hpp"

#include "s3/encode.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

namespace fermata::crr {
namespace {

constexpr std::string_view kProblem = "application/problem+json";

std::vector<std::string> credentials_of(std::string_view token) {
  const std::string text(token);
  return {"bearer " + text, text, "basic " + s3::to_base64("fermata:" + text)};
}

/// The scheme of a credential in small letters, as its case says nothing (RFC 9110, 11.1).
std::string with_small_scheme(std::string text) {
  const auto scheme_end = text.find(' ');
  if (scheme_end == std::string::npos) return text;
  std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(scheme_end), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Takes as long for a wrong text as for a right one.
bool are_same(std::string_view given, std::string_view wanted) {
  return given.size() == wanted.size() && CRYPTO_memcmp(given.data(), wanted.data(), given.size()) == 0;
}

sdk::Metric posts(const sdk::Host& host, std::string_view result) {
  return host.counter("crr_webhook_posts_total", "Notifications that were posted, by the answer", {{"result", result}});
}

}  // namespace

Webhook::Webhook(sdk::Host& host, EventIntake& intake, std::string_view token)
    : host_(host),
      intake_(intake),
      credentials_(credentials_of(token)),
      accepted_(posts(host, "accepted")),
      refused_(posts(host, "refused")),
      failed_(posts(host, "failed")) {}

Status Webhook::add() {
  return host_.add_route("POST", "events",
                         [this](const sdk::HttpRequest& request, sdk::Exchange exchange) { receive(request, std::move(exchange)); });
}

bool Webhook::is_allowed(const sdk::HttpRequest& request) const {
  const std::string given = with_small_scheme(request.header("Authorization").value_or(""));
  bool allowed = false;
  for (const auto& wanted : credentials_) allowed = are_same(given, wanted) || allowed;
  return allowed;
}

void Webhook::receive(const sdk::HttpRequest& request, sdk::Exchange exchange) const {
  if (!is_allowed(request)) {
    refused_.record(1);
    return exchange.respond(401, kProblem,
                            text::problem_body(401, "send the token of settings.journal as \"Authorization: Bearer <token>\""));
  }
  if (request.body.empty()) return exchange.respond_json("{}");
  const auto open = std::make_shared<sdk::Exchange>(std::move(exchange));
  const auto answer = [open, accepted = accepted_, failed = failed_](const Status& status) {
    (status ? accepted : failed).record(1);
    if (status) return open->respond_json("{}");
    open->respond(503, kProblem, text::problem_body(503, "the events could not be kept, send them again: " + status.message()));
  };
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(host_.now().time_since_epoch()).count();
  const auto taken = intake_.take(request.body, {now_ms, false}, answer);
  if (taken) return;
  refused_.record(1);
  open->respond(400, kProblem, text::problem_body(400, taken.message()));
}

}  // namespace fermata::crr
