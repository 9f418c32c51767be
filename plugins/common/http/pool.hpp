#pragma once

#include "http/connection.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_set>

namespace fermata::http {

/// The connections to one endpoint, those in use and those that are kept.
///
/// Ownership: a connection in use belongs to who took it; it comes back by `keep`, or is closed when its Lease ends. The pool
///            outlives all Leases.
/// Threads:   [any].
class Pool {
 public:
  Pool(Endpoint endpoint, ClientOptions options);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Closes a connection and frees its place.
  class Close {
   public:
    Close() : pool_(nullptr) {}
    explicit Close(Pool& pool) : pool_(&pool) {}
    void operator()(Connection* connection) const { pool_->close(connection); }

   private:
    Pool* pool_;
  };
  using Lease = std::unique_ptr<Connection, Close>;
  struct Taken {
    Lease connection;
    bool kept = false;  ///< it has served before
  };
  /// Waits for a place, at most `connect_timeout`; then the connection that was kept last, if it lives, or a new one.
  /// @param fresh  true: a new one in any case.
  Result<Taken> take(bool fresh);
  /// Gives back a connection that is ready for the next request.
  void keep(Lease lease);

  void interrupt();
  void resume();
  /// Closes what is kept, and keeps none any more.
  void close();

  std::size_t size() const;
  const Endpoint& endpoint() const { return endpoint_; }
  const ClientOptions& options() const { return options_; }

  /// Whether it is of use to wait for 100 Continue: false once the server was seen to pass over it.
  std::atomic<bool> server_says_continue = true;

 private:
  using Kept = std::deque<std::unique_ptr<Connection>>;

  /// Waits for a place under the limit, and takes it. @return a connection that was kept, to be looked at, or a new one
  /// that is not open yet.
  Result<Taken> take_place(bool fresh, Deadline deadline);
  Status open(Connection& connection, Deadline deadline);
  void close(Connection* connection);
  /// Moves what was kept too long to `closing`, for the caller to destroy without the lock.
  void prune(Kept& closing);
  Status refuse(const std::string& why) const;

  const Endpoint endpoint_;
  const ClientOptions options_;
  std::shared_ptr<TlsContext> tls_;  // null: no TLS, or tls_status_ says why
  Status tls_status_;
  NameLookup lookup_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Kept kept_;                             // the newest last; guarded by mutex_
  std::unordered_set<Connection*> used_;  // guarded by mutex_
  bool interrupted_ = false;              // guarded by mutex_
  bool closed_ = false;                   // guarded by mutex_
};

}  // namespace fermata::http
