#pragma once

#include "base/callback_guard.hpp"
#include "base/executor.hpp"
#include "ports/fanout.hpp"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::embedded {

/// Hands messages to the one subscriber there is, through the dispatcher. At most 65,536 wait; when more come they are
/// dropped, and on_subscribed tells afterwards that some were missed.
class InProcessFanout final : public Fanout {
 public:
  /// @param dispatcher  one thread; outlives the fan-out.
  explicit InProcessFanout(Executor& dispatcher) : dispatcher_(dispatcher) {}
  ~InProcessFanout() override;

  Status subscribe(std::vector<std::string> channels, Listener listener) override;
  Status publish(std::string_view channel, std::string_view message) override;
  Health health() const override { return {}; }

 private:
  struct Subscription;

  Executor& dispatcher_;
  std::mutex mutex_;  // guards subscription_
  std::shared_ptr<Subscription> subscription_;
};

}  // namespace fermata::embedded
