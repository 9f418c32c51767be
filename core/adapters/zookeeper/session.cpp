#include "adapters/zookeeper/session.hpp"

#include "adapters/zookeeper/errors.hpp"
#include "base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fermata::zookeeper {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxInFlight = 1'000;
constexpr auto kRetryPause = 20ms;
constexpr auto kFirstReopen = 500ms;
constexpr auto kMaxReopen = 10s;
constexpr int kSessionsToGiveUp = 3;  // session timeouts without a connection

bool is_end(int state) { return state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE; }

/// Answers on their way to one caller, who may have left.
class Gathering {
 public:
  explicit Gathering(std::size_t count) : answers_(count) {}

  void add(std::size_t index, Answer answer) {
    const std::lock_guard lock(mutex_);
    lost_ = lost_ || is_lost(answer.code);
    answers_[index] = std::move(answer);
    ++arrived_;
    if (lost_ || arrived_ == awaited_) changed_.notify_all();
  }
  /// @return whether `count` answers are there in time, none of them lost.
  bool await(std::size_t count, std::chrono::nanoseconds at_most) {
    std::unique_lock lock(mutex_);
    awaited_ = count;
    changed_.wait_for(lock, at_most, [&] { return lost_ || arrived_ >= count; });
    return !lost_ && arrived_ >= count;
  }
  std::vector<Answer> take() {
    const std::lock_guard lock(mutex_);
    return std::move(answers_);
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<Answer> answers_;
  std::size_t arrived_ = 0;
  std::size_t awaited_ = 0;  // how many the caller waits for
  bool lost_ = false;
};

}  // namespace

Session::Session(Options options, Executor& dispatcher, const Clock& clock, telemetry::Log& log)
    : options_(std::move(options)),
      dispatcher_(dispatcher),
      clock_(clock),
      log_(log),
      health_(clock),
      lost_at_(clock.steady()),
      timeout_(options_.client.session_timeout) {
  health_.set({Code::kUnavailable, fmt::format("not connected to ZooKeeper at {} yet", options_.client.servers)});
}

Session::~Session() { stop(); }

void Session::start(std::vector<SessionObserver*> observers) {
  observers_ = std::move(observers);
  dispatcher_.post([this] { open_client(); });
}

void Session::stop() {
  std::unique_ptr<Client> client;
  {
    const std::lock_guard lock(mutex_);
    client = std::move(client_);
    connected_ = false;
    ++epoch_;  // what this client still says concerns nobody
  }
}

// Its own life.

void Session::open_client() {
  std::uint64_t epoch = 0;
  {
    const std::lock_guard lock(mutex_);
    epoch = ++epoch_;
  }
  auto client = Client::open(options_.client,
                             {.on_state = [this, epoch](int state, auto timeout) { on_state(epoch, state, timeout); },
                              .on_change =
                                  [this](int type, std::string path) {
                                    dispatcher_.post([this, type, path = std::move(path)] {
                                      for (auto* observer : observers_) observer->changed(type, path);
                                    });
                                  }},
                             log_);
  if (!client) {
    show(client.status());
    dispatcher_.post_after(backoff(++failed_opens_, kFirstReopen, kMaxReopen), [this] { open_client(); });
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    client_ = std::move(*client);
    opened_at_ = clock_.steady();
    changed_.notify_all();
  }
  look_after(epoch);
}

// From time to time while there is no connection: lets every server have its turn, and gives up a session that no server
// takes back. An ensemble that has lost its data refuses it for ever, without saying that it has ended.
void Session::look_after(std::uint64_t epoch) {
  dispatcher_.post_after(timeout() / 10, [this, epoch] {
    Client* client = nullptr;
    bool given_up = false;
    {
      const std::lock_guard lock(mutex_);
      if (epoch != epoch_) return;
      if (!connected_) client = client_.get();
      given_up = !connected_ && clock_.steady() - std::max(lost_at_, opened_at_) > kSessionsToGiveUp * timeout_;
    }
    if (given_up) return replace(0ms, "no server has taken it back");
    // Without the lock, as it waits while names are resolved. Only the dispatcher replaces the client.
    if (client != nullptr) client->skip_server();
    look_after(epoch);
  });
}

void Session::replace(std::chrono::milliseconds pause, std::string_view reason) {
  log_.warn("zookeeper", "the session has ended, a new one is opened", {{"reason", reason}});
  for (auto* observer : observers_) observer->ended();
  stop();
  dispatcher_.post_after(pause, [this] { open_client(); });
}

// On the client's thread: callers that wait learn of it at once, everything else is done by the dispatcher.
void Session::on_state(std::uint64_t epoch, int state, std::chrono::milliseconds timeout) {
  {
    const std::lock_guard lock(mutex_);
    if (epoch != epoch_) return;
    const bool connected = state == ZOO_CONNECTED_STATE;
    if (connected_ && !connected) lost_at_ = clock_.steady();
    connected_ = connected;
    if (connected) timeout_ = timeout;
    changed_.notify_all();
  }
  if (state == ZOO_CONNECTED_STATE)
    show(Status::ok());
  else if (state == ZOO_AUTH_FAILED_STATE)
    show({Code::kUnauthenticated, fmt::format("ZooKeeper at {} refuses user '{}': check zookeeper.user and zookeeper.password",
                                              options_.client.servers, options_.user)});
  else
    show({Code::kUnavailable, fmt::format("the connection to ZooKeeper at {} is lost", options_.client.servers)});
  dispatcher_.post([this, epoch, state] { handle_state(epoch, state); });
}

void Session::handle_state(std::uint64_t epoch, int state) {
  if (!is_current(epoch)) return;
  if (state == ZOO_CONNECTED_STATE) {
    failed_opens_ = 0;
    const bool is_new = std::exchange(announced_, epoch) != epoch;
    for (auto* observer : observers_) observer->connected(is_new);
  } else if (is_end(state)) {
    const bool refused = state == ZOO_AUTH_FAILED_STATE;
    replace(refused ? backoff(++failed_opens_, kFirstReopen, kMaxReopen) : 0ms, refused ? "the credentials are refused" : "it has expired");
  }
}

void Session::show(const Status& status) {
  if (!health_.set(status)) return;
  if (status.is_ok())
    log_.info("zookeeper", "connected", {{"servers", options_.client.servers}});
  else
    log_.warn("zookeeper", status.message());
}

// Asking.

void Session::ask(const Request& request, Client::Done done) {
  int code = ZINVALIDSTATE;
  {
    // Under the lock, so that the client is not closed meanwhile. It only queues what is asked, and calls nobody back here.
    const std::lock_guard lock(mutex_);
    if (client_ != nullptr) code = client_->ask(request, done);
  }
  if (code != ZOK) done({.code = code});
}

Result<std::vector<Answer>> Session::call(std::span<const Request> requests, SteadyTime deadline) {
  if (auto connected = await_connection(deadline); !connected) return connected;
  const auto gathering = std::make_shared<Gathering>(requests.size());
  bool complete = true;
  for (std::size_t i = 0; complete && i < requests.size(); ++i) {
    ask(requests[i], [gathering, i](Answer answer) { gathering->add(i, std::move(answer)); });
    // Halves, so that there is always something to do for either side.
    if (const auto asked = i + 1; asked % (kMaxInFlight / 2) == 0 && asked >= kMaxInFlight)
      complete = gathering->await(asked - kMaxInFlight / 2, deadline - clock_.steady());
  }
  if (complete && gathering->await(requests.size(), deadline - clock_.steady())) return gathering->take();
  return Status(Code::kUnavailable, fmt::format("{}: no answer from ZooKeeper at {} in time", requests.empty() ? "" : requests[0].path,
                                                options_.client.servers));
}

Result<std::vector<Answer>> Session::read(std::span<const Request> requests, SteadyTime deadline) {
  for (;;) {
    auto answers = call(requests, deadline);
    if (answers || answers.status().code() != Code::kUnavailable) return answers;
    std::unique_lock lock(mutex_);
    const bool given_up = !connected_ && clock_.steady() - lost_at_ > timeout_;
    if (given_up || clock_.steady() + kRetryPause >= deadline) return answers;
    changed_.wait_for(lock, kRetryPause);
  }
}

Result<Answer> Session::read_one(const Request& request, SteadyTime deadline) {
  auto answers = read(std::span<const Request>(&request, 1), deadline);
  if (!answers) return answers.status();
  return std::move(answers->front());
}

Status Session::await_connection(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  const auto give_up = connected_ ? deadline : std::min(deadline, lost_at_ + timeout_);
  if (changed_.wait_for(lock, give_up - clock_.steady(), [this] { return connected_ && client_ != nullptr; })) return Status::ok();
  return unreachable();
}

Status Session::unreachable() const {
  return {Code::kUnavailable, fmt::format("no connection to ZooKeeper at {}", options_.client.servers)};
}

bool Session::is_current(std::uint64_t epoch) const {
  const std::lock_guard lock(mutex_);
  return epoch == epoch_;
}

std::chrono::milliseconds Session::timeout() const {
  const std::lock_guard lock(mutex_);
  return timeout_;
}

}  // namespace fermata::zookeeper
