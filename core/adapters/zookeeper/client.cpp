#include "adapters/zookeeper/client.hpp"

#include "adapters/zookeeper/client_log.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fermata::zookeeper {

/// A request on its way; the C client writes into it until it is answered.
struct Client::Pending {
  Client& client;
  Done done;
  std::vector<zoo_op_result_t> results = {};
  std::vector<Stat> stats = {};
};

struct Client::Callbacks {
  static Client& client_of(const void* key) { return static_cast<const Pending*>(key)->client; }

  static void stat(int code, const Stat* stat, const void* key) {
    client_of(key).finish(key, {.code = code, .stat = code == ZOK ? *stat : Stat{}});
  }
  static void data(int code, const char* value, int length, const Stat* stat, const void* key) {
    if (code != ZOK) return client_of(key).finish(key, {.code = code});
    const auto size = length > 0 ? static_cast<std::size_t>(length) : 0u;
    client_of(key).finish(key, {.text = size > 0 ? std::string(value, size) : std::string(), .stat = *stat});
  }
  static void names(int code, const String_vector* names, const void* key) {
    Answer answer{.code = code};
    if (code == ZOK) answer.names.assign(names->data, names->data + names->count);
    client_of(key).finish(key, std::move(answer));
  }
  static void text(int code, const char* text, const void* key) {
    client_of(key).finish(key, {.code = code, .text = code == ZOK ? text : ""});
  }
  static void nothing(int code, const void* key) { client_of(key).finish(key, {.code = code}); }
  static void multi(int code, const void* key) {
    Answer answer{.code = code};
    const auto* pending = static_cast<const Pending*>(key);
    for (std::size_t i = 0; i < pending->results.size(); ++i) answer.done.push_back({pending->results[i].err, pending->stats[i].version});
    client_of(key).finish(key, std::move(answer));
  }

  // Of every watch, and of the session.
  static void event(zhandle_t* handle, int type, int state, const char* path, void* context) {
    auto& client = *static_cast<Client*>(context);
    if (type == ZOO_SESSION_EVENT)
      client.on_session_event(handle, state);
    else
      client.events_.on_change(type, path);
  }
};

Result<std::unique_ptr<Client>> Client::open(const Options& options, Events events, telemetry::Log& log) {
  std::unique_ptr<Client> client(new Client(options, std::move(events), log));
  client->handle_ = zookeeper_init2(options.servers.c_str(), &Callbacks::event, static_cast<int>(options.session_timeout.count()), nullptr,
                                    client.get(), ZOO_NO_LOG_CLIENTENV, &ClientLog::write);
  if (client->handle_ == nullptr)
    return Status(Code::kUnavailable,
                  fmt::format("no client for ZooKeeper at {}: {}: check that the names resolve", options.servers, std::strerror(errno)));
  // Otherwise each turn of the client's loop resolves the names.
  zoo_set_servers_resolution_delay(client->handle_, -1);
  return client;
}

Client::Client(const Options& options, Events events, telemetry::Log& log) : options_(options), events_(std::move(events)), log_(log) {
  ClientLog::add(log_);
}

Client::~Client() {
  if (handle_ != nullptr) zookeeper_close(handle_);
  ClientLog::remove(log_);
  // No thread of the client is left; closing may have dropped requests unanswered.
  for (auto& [key, pending] : pending_) pending->done({.code = ZCLOSING});
}

int Client::ask(const Request& request, Done& done) {
  auto made = std::make_unique<Pending>(Pending{*this, std::move(done)});
  auto* pending = made.get();
  {
    const std::lock_guard lock(mutex_);
    pending_.emplace(pending, std::move(made));
  }
  const int code = start(request, pending);
  if (code != ZOK) done = std::move(take(pending)->done);
  return code;
}

int Client::start(const Request& request, Pending* pending) {
  const char* path = request.path.c_str();
  const auto watcher = request.watch ? &Callbacks::event : nullptr;
  switch (request.kind) {
    case Request::Kind::kExists: return zoo_awexists(handle_, path, watcher, this, &Callbacks::stat, pending);
    case Request::Kind::kGet: return zoo_awget(handle_, path, nullptr, nullptr, &Callbacks::data, pending);
    case Request::Kind::kChildren: return zoo_awget_children(handle_, path, watcher, this, &Callbacks::names, pending);
    case Request::Kind::kCreateSequence:
      return zoo_acreate(handle_, path, request.data.data(), static_cast<int>(request.data.size()),
                         options_.only_creator ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, &Callbacks::text,
                         pending);
    case Request::Kind::kRemove: return zoo_adelete(handle_, path, -1, &Callbacks::nothing, pending);
    case Request::Kind::kSync: return zoo_async(handle_, path, &Callbacks::text, pending);
    case Request::Kind::kMulti: return start_multi(request, pending);
  }
  return ZBADARGUMENTS;
}

int Client::start_multi(const Request& request, Pending* pending) {
  const auto* acl = options_.only_creator ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE;
  const std::size_t count = request.operations.size();
  pending->results.assign(count, {});
  pending->stats.assign(count, {});
  std::vector<zoo_op_t> operations(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& one = request.operations[i];
    const auto size = static_cast<int>(one.data.size());
    switch (one.kind) {
      case Operation::Kind::kCreate:
        zoo_create_op_init(&operations[i], one.path.c_str(), one.data.data(), size, acl, ZOO_PERSISTENT, nullptr, 0);
        break;
      case Operation::Kind::kCreateEphemeral:
        zoo_create_op_init(&operations[i], one.path.c_str(), one.data.data(), size, acl, ZOO_EPHEMERAL, nullptr, 0);
        break;
      case Operation::Kind::kSet:
        zoo_set_op_init(&operations[i], one.path.c_str(), one.data.data(), size, one.version, &pending->stats[i]);
        break;
      case Operation::Kind::kRemove: zoo_delete_op_init(&operations[i], one.path.c_str(), one.version); break;
    }
  }
  return zoo_amulti(handle_, static_cast<int>(count), operations.data(), pending->results.data(), &Callbacks::multi, pending);
}

std::unique_ptr<Client::Pending> Client::take(const void* key) {
  const std::lock_guard lock(mutex_);
  auto found = pending_.extract(key);
  return std::move(found.mapped());
}

void Client::finish(const void* key, Answer answer) {
  answer.session = zoo_client_id(handle_)->client_id;
  take(key)->done(std::move(answer));
}

void Client::on_session_event(zhandle_t* handle, int state) {
  if (state == ZOO_CONNECTED_STATE && !authenticated_ && !options_.credentials.empty()) {
    authenticated_ = true;  // from here on the client repeats it with each connection
    const auto& text = options_.credentials;
    zoo_add_auth(handle, "digest", text.data(), static_cast<int>(text.size()), nullptr, nullptr);
  }
  const int timeout_ms = state == ZOO_CONNECTED_STATE ? zoo_recv_timeout(handle) : 0;
  events_.on_state(state, std::chrono::milliseconds(timeout_ms));
}

}  // namespace fermata::zookeeper
