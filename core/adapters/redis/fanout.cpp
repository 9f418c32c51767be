#include "adapters/redis/fanout.hpp"

#include "adapters/redis/refusal.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <span>
#include <utility>

namespace fermata::redis {

namespace {

constexpr std::size_t kMaxUnansweredBytes = 8u << 20;
constexpr std::size_t kChannelsPerCommand = 1'000;

std::vector<std::string> without(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  std::vector<std::string> left;
  std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(left));
  return left;
}

}  // namespace

struct RedisFanout::Subscription {
  std::vector<std::string> channels;  // sorted, unique, with the prefix
  Listener listener;
  CallbackGuard guard;
};

std::shared_ptr<RedisFanout::Subscription> RedisFanout::subscription() const {
  const std::lock_guard lock(mutex_);
  return subscription_;
}

Status RedisFanout::subscribe(std::vector<std::string> channels, Listener listener) {
  auto subscription = std::make_shared<Subscription>();
  for (std::string& channel : channels) channel.insert(0, prefix_);
  std::sort(channels.begin(), channels.end());
  channels.erase(std::unique(channels.begin(), channels.end()), channels.end());
  subscription->channels = std::move(channels);
  subscription->listener = std::move(listener);
  std::shared_ptr<Subscription> former;
  {
    const std::lock_guard lock(mutex_);
    former = std::exchange(subscription_, std::move(subscription));
  }
  if (former) former->guard.close();
  boost::asio::post(io_, [this] { apply(); });
  return Status::ok();
}

Status RedisFanout::publish(std::string_view channel, std::string_view message) {
  const std::string bytes = command({"PUBLISH", prefix_ + std::string(channel), message});
  const std::lock_guard lock(mutex_);
  if (!can_publish_) return {Code::kUnavailable, fmt::format("no connection to publish on '{}': {}", channel, health_.get().reason)};
  if (unanswered_bytes_ + bytes.size() > kMaxUnansweredBytes)
    return {Code::kUnavailable, fmt::format("{} MiB of messages wait for Redis: try later", kMaxUnansweredBytes >> 20)};
  unanswered_bytes_ += bytes.size();
  outgoing_ += bytes;
  if (outgoing_count_++ == 0) boost::asio::post(io_, [this] { send_published(); });
  return Status::ok();
}

void RedisFanout::send_published() {
  const std::lock_guard lock(mutex_);
  if (outgoing_count_ == 0) return;
  commands_.request(outgoing_, outgoing_count_,
                    [this, bytes = outgoing_.size()](Reply& reply, bool last) { published(*reply, last, bytes); });
  outgoing_.clear();
  outgoing_count_ = 0;
}

void RedisFanout::published(const redisReply& reply, bool last, std::size_t bytes) {
  if (is_error(reply) && !std::exchange(refusal_logged_, true))
    log_.warn("redis", "a hint was not published", {{"reason", refusal(commands_.server(), "PUBLISH", text_of(reply)).message()}});
  if (!last) return;
  const std::lock_guard lock(mutex_);
  unanswered_bytes_ -= bytes;
}

void RedisFanout::commands_ready() {
  refusal_logged_ = false;
  const std::lock_guard lock(mutex_);
  can_publish_ = true;
}

void RedisFanout::commands_down() {
  const std::lock_guard lock(mutex_);
  can_publish_ = false;
  outgoing_.clear();
  outgoing_count_ = 0;
  unanswered_bytes_ = 0;
}

void RedisFanout::subscriber_ready() {
  subscribed_.clear();
  apply();
}

void RedisFanout::apply() {
  if (!subscriber_.ready()) return;
  applied_ = subscription();
  std::vector<std::string> wanted;
  if (applied_) wanted = applied_->channels;
  send_channels("UNSUBSCRIBE", without(subscribed_, wanted));
  send_channels("SUBSCRIBE", without(wanted, subscribed_));
  subscribed_ = std::move(wanted);
  subscriber_.send(command({"PING", std::to_string(++fence_)}));
}

void RedisFanout::send_channels(std::string_view verb, const std::vector<std::string>& channels) {
  for (std::size_t begin = 0; begin < channels.size(); begin += kChannelsPerCommand) {
    const std::size_t end = std::min(begin + kChannelsPerCommand, channels.size());
    std::vector<std::string_view> words{verb};
    for (std::size_t i = begin; i < end; ++i) words.emplace_back(channels[i]);
    std::string bytes;
    append_command(bytes, words);
    subscriber_.send(bytes);
  }
}

// RESP2: pushes and, in subscribe mode, also PING's answer are arrays that begin with their kind.
void RedisFanout::subscriber_pushed(const redisReply& reply) {
  if (is_error(reply)) return subscriber_.fail(refusal(subscriber_.server(), "SUBSCRIBE", text_of(reply)));
  if (!is_array(reply)) return fence_passed(text_of(reply));
  const auto parts = elements_of(reply);
  if (parts.size() == 3 && text_of(*parts[0]) == "message") return deliver(text_of(*parts[1]), text_of(*parts[2]));
  if (parts.size() == 2 && text_of(*parts[0]) == "pong") fence_passed(text_of(*parts[1]));
}

void RedisFanout::deliver(std::string_view channel, std::string_view message) {
  const auto current = subscription();
  if (!current || !std::binary_search(current->channels.begin(), current->channels.end(), channel, std::less<>())) return;
  if (current->listener.on_message) current->guard.run([&] { current->listener.on_message(channel.substr(prefix_.size()), message); });
}

void RedisFanout::fence_passed(std::string_view number) {
  if (number != std::to_string(fence_)) return;
  health_.set(HealthBoard::Part::kSubscriber, Status::ok());
  if (applied_ && applied_->listener.on_subscribed) applied_->guard.run(applied_->listener.on_subscribed);
}

}  // namespace fermata::redis
