#pragma once

#include "journal/event_intake.hpp"

#include <fermata/sdk/host.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fermata::crr {

/// Takes bucket notifications that a store posts, at POST events. It answers 200 when the records of all events are durable, and
/// 503 when they are not, so that the store sends again.
///
/// Whoever calls must know the token: as "Authorization: Bearer <token>", the bare token, or, for stores that can be given no
/// more than a URL, as the password of the user "fermata" in it. 401 otherwise; 400, saying why, for what is no notification.
/// An empty body is a ping: 200.
///
/// Threads: [any]. Bounds: a body is as long as the host takes.
class Webhook {
 public:
  /// @param host, intake  borrowed; outlive this, and this outlives the host's calls.
  Webhook(sdk::Host& host, EventIntake& intake, std::string_view token);

  /// [control] Only within init.
  Status add();

 private:
  void receive(const sdk::HttpRequest& request, sdk::Exchange exchange) const;
  bool is_allowed(const sdk::HttpRequest& request) const;

  sdk::Host& host_;
  EventIntake& intake_;
  const std::vector<std::string> credentials_;  // values of Authorization that are let in, schemes in small letters
  const sdk::Metric accepted_;
  const sdk::Metric refused_;
  const sdk::Metric failed_;
};

}  // namespace fermata::crr
