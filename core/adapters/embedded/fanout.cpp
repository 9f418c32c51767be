#include "adapters/embedded/fanout.hpp"

#include <atomic>
#include <utility>

namespace fermata::embedded {

namespace {
constexpr std::size_t kMaxWaiting = 65'536;
}

struct InProcessFanout::Subscription {
  std::set<std::string, std::less<>> channels;
  Listener listener;
  CallbackGuard guard;
  std::atomic<std::size_t> waiting{0};
  std::atomic<bool> missed{false};

  void tell_subscribed() {
    if (listener.on_subscribed) guard.run(listener.on_subscribed);
  }
};

InProcessFanout::~InProcessFanout() {
  if (subscription_) subscription_->guard.close();
}

Status InProcessFanout::subscribe(std::vector<std::string> channels, Listener listener) {
  auto subscription = std::make_shared<Subscription>();
  subscription->channels.insert(channels.begin(), channels.end());
  subscription->listener = std::move(listener);
  std::shared_ptr<Subscription> former;
  {
    const std::lock_guard lock(mutex_);
    former = std::exchange(subscription_, subscription);
    dispatcher_.post([subscription] { subscription->tell_subscribed(); });
  }
  if (former) former->guard.close();
  return Status::ok();
}

Status InProcessFanout::publish(std::string_view channel, std::string_view message) {
  const std::lock_guard lock(mutex_);  // keeps the order of arrival
  if (!subscription_ || !subscription_->channels.contains(channel)) return Status::ok();
  if (subscription_->waiting.load() >= kMaxWaiting) {
    subscription_->missed = true;
    return Status::ok();
  }
  ++subscription_->waiting;
  dispatcher_.post([subscription = subscription_, c = std::string(channel), m = std::string(message)] {
    subscription->guard.run([&] { subscription->listener.on_message(c, m); });
    if (--subscription->waiting == 0 && subscription->missed.exchange(false)) subscription->tell_subscribed();
  });
  return Status::ok();
}

}  // namespace fermata::embedded
