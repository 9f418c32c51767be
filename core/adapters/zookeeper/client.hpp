#pragma once

#include "base/status.hpp"
#include "telemetry/log.hpp"

#include <zookeeper/zookeeper.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace fermata::zookeeper {

/// One step of a multi: all are done or none.
struct Operation {
  enum class Kind { kCreate, kCreateEphemeral, kSet, kRemove };
  Kind kind = Kind::kCreate;
  std::string path = {};
  std::string data = {};
  int version = -1;  ///< of kSet and kRemove; -1: any
};

/// What can be asked of the ensemble. Paths are those of the ensemble: nothing here knows the chroot.
struct Request {
  enum class Kind { kExists, kGet, kChildren, kCreateSequence, kRemove, kSync, kMulti };
  Kind kind = Kind::kExists;
  std::string path = {};
  std::string data = {};
  bool watch = false;  ///< of kExists and kChildren: the next change is reported to Client::Events::on_change, once
  std::vector<Operation> operations = {};
};

struct Answer {
  struct Done {
    int code = ZOK;
    std::int32_t version = 0;
  };
  int code = ZOK;                       ///< of ZOO_ERRORS
  std::string text = {};                ///< the data of kGet, the path that kCreateSequence made
  std::vector<std::string> names = {};  ///< of kChildren
  Stat stat = {};                       ///< of kExists and kGet
  std::int64_t session = 0;             ///< which the ensemble names as the owner of what is ephemeral
  std::vector<Done> done = {};          ///< of kMulti, one for each operation
};

/// One handle of the C client: one session, over as many connections as it takes. Unusable once the session has ended.
///
/// Threads: ask [any], but not while it is destroyed. Answers and events come on a thread of the client and must not block.
class Client {
 public:
  struct Options {
    std::string servers;  ///< "host:port,..."
    std::chrono::milliseconds session_timeout{};
    std::string credentials = {};  ///< "user:password" of the digest scheme, or empty
    bool only_creator = false;
  };
  struct Events {
    /// A ZOO_..._STATE, and the session timeout as negotiated so far.
    std::function<void(int state, std::chrono::milliseconds session_timeout)> on_state;
    /// A ZOO_..._EVENT of a watch, which is used up with it.
    std::function<void(int type, std::string path)> on_change;
  };
  using Done = std::function<void(Answer)>;

  /// Resolves the servers' names, which may take seconds; connects in the background.
  static Result<std::unique_ptr<Client>> open(const Options& options, Events events, telemetry::Log& log);
  /// Ends the session if there is a connection; may take 5 s. What is not answered yet is answered ZCLOSING.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Takes `done` and calls it once, unless another code than ZOK is returned.
  int ask(const Request& request, Done& done);

  /// Leaves out the server that would be tried next. After a failed attempt the C client goes on by two places in its
  /// list, so of an even number of addresses it would only ever try every other one.
  void skip_server() { zoo_cycle_next_server(handle_); }

 private:
  struct Pending;
  struct Callbacks;  // what the C client calls

  Client(const Options& options, Events events, telemetry::Log& log);
  int start(const Request& request, Pending* pending);
  int start_multi(const Request& request, Pending* pending);
  std::unique_ptr<Pending> take(const void* key);
  void finish(const void* key, Answer answer);
  void on_session_event(zhandle_t* handle, int state);

  const Options options_;
  const Events events_;
  telemetry::Log& log_;
  zhandle_t* handle_ = nullptr;
  bool authenticated_ = false;  // used by the client's completion thread
  std::mutex mutex_;            // guards pending_
  std::unordered_map<const void*, std::unique_ptr<Pending>> pending_;
};

}  // namespace fermata::zookeeper
