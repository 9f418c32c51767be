#pragma once

#include "adapters/zookeeper/client.hpp"
#include "base/clock.hpp"
#include "base/executor.hpp"
#include "ports/health.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::zookeeper {

/// Whoever keeps something in the session. Threads: [dispatcher].
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  /// There is a connection: the first of a new session, or another of the same one.
  virtual void connected(bool new_session) = 0;
  /// The session is over, and with it watches and ephemeral entries. A new one follows.
  virtual void ended() = 0;
  /// A watch has fired, which uses it up. @param type  a ZOO_..._EVENT.
  virtual void changed(int type, const std::string& path) = 0;
};

/// The session with the ensemble, replaced when it ends:
///   connecting -> connected <-> lost -> ended (expired, or the credentials refused) -> connecting with a new handle
///
/// Threads: [any], but start and stop.
class Session {
 public:
  struct Options {
    Client::Options client;
    std::string user = {};  ///< for messages
    std::chrono::milliseconds operation_timeout{};
  };

  /// @param dispatcher  one thread; stopped before the session is destroyed.
  Session(Options options, Executor& dispatcher, const Clock& clock, telemetry::Log& log);
  /// As stop.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Connects in the background. @param observers  outlive the dispatcher's tasks.
  void start(std::vector<SessionObserver*> observers);
  /// Ends the session. The dispatcher is stopped already.
  void stop();

  /// `done` is called once, on the client's thread or in here. Does not wait for a connection.
  void ask(const Request& request, Client::Done done);
  /// Asks all, at most 1,000 at a time, and waits for the answers, which are in order.
  /// @return kUnavailable if one was lost or is not there in time: what was asked for may have happened or not.
  Result<std::vector<Answer>> call(std::span<const Request> requests, SteadyTime deadline);
  /// As call, for what changes nothing: tries again until the deadline.
  Result<std::vector<Answer>> read(std::span<const Request> requests, SteadyTime deadline);
  Result<Answer> read_one(const Request& request, SteadyTime deadline);

  /// The end of an operation that begins now.
  SteadyTime deadline() const { return clock_.steady() + options_.operation_timeout; }
  /// As negotiated with the ensemble.
  std::chrono::milliseconds timeout() const;
  Health health() const { return health_.get(); }

 private:
  void open_client();
  void look_after(std::uint64_t epoch);
  void replace(std::chrono::milliseconds pause, std::string_view reason);
  void on_state(std::uint64_t epoch, int state, std::chrono::milliseconds timeout);
  void handle_state(std::uint64_t epoch, int state);
  bool is_current(std::uint64_t epoch) const;
  void show(const Status& status);
  /// Waits until there is a connection. At once kUnavailable once it was gone for longer than a session lives.
  Status await_connection(SteadyTime deadline);
  Status unreachable() const;

  const Options options_;
  Executor& dispatcher_;
  const Clock& clock_;
  telemetry::Log& log_;
  HealthCell health_;
  std::vector<SessionObserver*> observers_;
  std::uint64_t announced_ = 0;     // the session that observers know; used by the dispatcher
  std::uint32_t failed_opens_ = 0;  // used by the dispatcher

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::unique_ptr<Client> client_;
  std::uint64_t epoch_ = 0;  // counts the sessions
  bool connected_ = false;
  SteadyTime lost_at_;    // unless connected
  SteadyTime opened_at_;  // when client_ was made
  std::chrono::milliseconds timeout_;
};

}  // namespace fermata::zookeeper
