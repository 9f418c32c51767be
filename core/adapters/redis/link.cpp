#include "adapters/redis/link.hpp"

#include "adapters/redis/refusal.hpp"
#include "base/random.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

namespace fermata::redis {

namespace {

using namespace std::chrono_literals;

constexpr auto kFirstBackoff = 50ms;
constexpr auto kMaxBackoff = 2'000ms;
constexpr std::string_view kClientName = "fermata";

}  // namespace

Link::Link(boost::asio::io_context& io, const Backend::Options& options, Events events)
    : io_(io), options_(options), events_(std::move(events)), timer_(io) {
  for (const std::string& server : options.servers) servers_.push_back(*parse_endpoint(server));
}

Link::~Link() {
  if (wire_) wire_->close();
}

void Link::attempt() {
  state_ = State::kConnecting;
  const Endpoint& server = servers_[turn_ % servers_.size()];
  if (options_.sentinel_master.empty())
    open("Redis", server, &Link::greet);
  else
    open("Sentinel", server, &Link::ask_sentinel);
  after(2 * options_.ping_interval, &Link::timed_out);
}

void Link::open(std::string name, const Endpoint& endpoint, void (Link::*then)()) {
  if (wire_) wire_->close();
  expected_.clear();
  server_ = fmt::format("{} {}", name, endpoint.text());
  wire_ = Wire::connect(io_, endpoint,
                        {.on_connected = [this, then] { (this->*then)(); },
                         .on_answer = [this](Reply reply) { answered(std::move(reply)); },
                         .on_lost = [this](const std::string& why) { fail(unavailable(why)); }});
}

void Link::ask_sentinel() {
  login(options_.sentinel_user, options_.sentinel_password, "redis.sentinel_password");
  request(command({"SENTINEL", "get-master-addr-by-name", options_.sentinel_master}), 1,
          [this](Reply& reply, bool) { master_named(*reply); });
}

void Link::master_named(const redisReply& reply) {
  if (is_error(reply)) return fail(refusal(server_, "SENTINEL", text_of(reply)));
  const auto address = elements_of(reply);
  if (address.size() != 2)
    return fail(unavailable(fmt::format("it knows no master '{}': check redis.sentinel_master", options_.sentinel_master)));
  const auto master = parse_endpoint(fmt::format("[{}]:{}", text_of(*address[0]), text_of(*address[1])));
  if (!master) return fail(unavailable(master.status().message()));
  open("Redis", *master, &Link::greet);
}

// All at once; the first answer that refuses ends it.
void Link::greet() {
  login(options_.user, options_.password, "redis.password");
  if (options_.database != 0)
    request(command({"SELECT", std::to_string(options_.database)}), 1, [this](Reply& reply, bool) {
      if (is_error(*reply)) fail(refusal(server_, fmt::format("SELECT {} (redis.database)", options_.database), text_of(*reply)));
    });
  request(command({"CLIENT", "SETNAME", kClientName}), 1, [](Reply&, bool) {});  // a help for operators; need not be permitted
  request(command({"ROLE"}), 1, [this](Reply& reply, bool) { check_role(*reply); });
  request(command({"PING"}), 1, [this](Reply& reply, bool) { greeted(*reply); });
}

void Link::login(const std::string& user, const std::string& password, std::string_view setting) {
  if (user.empty() && password.empty()) return;
  const auto check = [this, setting](Reply& reply, bool) {
    if (is_error(*reply)) fail(login_refusal(server_, setting, text_of(*reply)));
  };
  // Redis 5 knows no users.
  request(user.empty() ? command({"AUTH", password}) : command({"AUTH", user, password}), 1, check);
}

void Link::check_role(const redisReply& reply) {
  const bool must_know = !options_.sentinel_master.empty();
  if (is_error(reply)) {
    if (must_know) fail(refusal(server_, "ROLE, which tells whether it is the master", text_of(reply)));
    return;
  }
  const auto facts = elements_of(reply);
  const std::string_view role = facts.empty() ? std::string_view() : text_of(*facts[0]);
  if (role == "sentinel") return fail(unavailable("it is a Sentinel: say in redis.sentinel_master which master it watches"));
  if (role != "master")
    fail(unavailable(fmt::format("it is a {}, not the master: name the master in redis.servers, or the Sentinels", role)));
}

void Link::greeted(const redisReply& reply) {
  if (is_error(reply)) return fail(refusal(server_, "PING", text_of(reply)));
  if (reply.type != REDIS_REPLY_STATUS) return fail(unavailable("it does not speak Redis"));
  state_ = State::kReady;
  ready_since_ = std::chrono::steady_clock::now();
  probe();
  events_.on_ready();
}

void Link::probe() {
  const auto now = std::chrono::steady_clock::now();
  const auto silent = now - wire_->last_received();
  if (silent >= 2 * options_.ping_interval) return fail(unavailable(fmt::format("it has been silent for {}", 2 * options_.ping_interval)));
  if (now - ready_since_ >= options_.ping_interval) failures_ = 0;
  if (silent >= options_.ping_interval) {
    if (events_.on_push)
      send(command({"PING"}));
    else
      request(command({"PING"}), 1, [](Reply&, bool) {});
  }
  after(options_.ping_interval / 2, &Link::probe);
}

void Link::timed_out() { fail(unavailable(fmt::format("no answer within {}", 2 * options_.ping_interval))); }

void Link::request(std::string_view bytes, std::size_t answers, Answer answer) {
  expected_.push_back({answers, std::move(answer)});
  wire_->send(bytes);
}

void Link::send(std::string_view bytes) { wire_->send(bytes); }

void Link::answered(Reply reply) {
  if (expected_.empty()) {
    if (!ready() || !events_.on_push) return fail(unavailable("it answers what was not asked"));
    return events_.on_push(*reply);
  }
  Expected& front = expected_.front();
  if (--front.left > 0) return front.answer(reply, false);
  const Answer answer = std::move(front.answer);  // it may clear the queue
  expected_.pop_front();
  answer(reply, true);
}

void Link::fail(const Status& why) {
  if (state_ == State::kWaiting) return;
  const bool was_ready = std::exchange(state_, State::kWaiting) == State::kReady;
  wire_->close();
  wire_.reset();
  expected_.clear();
  ++failures_;
  if (!was_ready) ++turn_;
  const auto rounds = static_cast<std::uint32_t>(failures_ / servers_.size());
  const bool more_servers = !was_ready && failures_ % servers_.size() != 0;
  after(more_servers ? 0ms : backoff(rounds, kFirstBackoff, kMaxBackoff), &Link::attempt);
  events_.on_down(why);
}

void Link::after(std::chrono::steady_clock::duration wait, void (Link::*then)()) {
  timer_.expires_after(wait);
  timer_.async_wait([this, then, turn = ++timer_turn_](boost::system::error_code error) {
    if (!error && turn == timer_turn_) (this->*then)();
  });
}

Status Link::unavailable(std::string_view why) const { return {Code::kUnavailable, fmt::format("{}: {}", server_, why)}; }

}  // namespace fermata::redis
