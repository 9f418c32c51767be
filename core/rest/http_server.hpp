#pragma once

#include "config/config.hpp"
#include "rest/router.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace fermata::rest {

/// HTTP/1.1 on Beast: one thread, one coroutine per connection, one coarse timer for all of them. Bounds: header and body
/// size, time to read a request, idle time, time to answer, number of connections (more are answered 503 and closed), one
/// request of a connection at a time (pipelined ones wait in the socket). Peers outside `allow_from`, and changes
/// that a page of another site asks for (Origin is not Host), are answered 403. A request that says "?wait=DURATION" has as much more time
/// to be answered, up to 10 minutes.
///
/// Lifecycle: listen -> start -> stop -> destroy; a failed listen goes straight to destroy.
/// Threads: listen and start by one thread; stop and port [any], stop not from a handler. Handlers run on the server's thread.
/// Ownership: what is passed in outlives the server. A Respond may be called, in vain, after the server is gone.
/// A request's header(":peer") is the peer's address.
class HttpServer {
 public:
  HttpServer(config::RestConfig config, const Router& router, telemetry::Log& log, telemetry::Metrics& metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds, so that port() is known; who connects waits. kUnavailable naming address and port when they cannot be had.
  Status listen();
  /// Serves. Only after listen.
  void start();
  /// Accepts nothing more, lets running requests finish for at most `drain`, then closes all. Joins its thread.
  void stop(std::chrono::milliseconds drain);
  /// The port that was bound.
  std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::rest
