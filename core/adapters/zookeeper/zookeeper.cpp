#include "adapters/zookeeper/zookeeper.hpp"

#include "adapters/zookeeper/leases.hpp"
#include "adapters/zookeeper/paths.hpp"
#include "adapters/zookeeper/session.hpp"
#include "adapters/zookeeper/state_store.hpp"
#include "adapters/zookeeper/watches.hpp"
#include "base/worker_pool.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace fermata::zookeeper {
namespace {

using namespace std::chrono_literals;

Status check(const Backend::Options& options) {
  if (options.servers.empty()) return {Code::kInvalidArgument, "zookeeper.servers is empty: name at least one as host:port"};
  if (!options.chroot.empty() && !check_path(options.chroot))
    return {Code::kInvalidArgument, fmt::format("zookeeper.chroot is '{}': leave it empty or write it as /a/b", options.chroot)};
  if (auto valid = check_path(options.leases_path); !valid) return valid;
  if (options.session_timeout < 100ms || options.operation_timeout <= 0ms)
    return {Code::kInvalidArgument, "zookeeper.session_timeout and operation_timeout must be positive, the former at least 100 ms"};
  if (options.user.find(':') != std::string::npos)
    return {Code::kInvalidArgument, "zookeeper.user contains a ':', which the digest scheme does not allow"};
  if (options.only_creator && options.user.empty())
    return {Code::kInvalidArgument, "entries for their creator only need zookeeper.user and zookeeper.password"};
  return Status::ok();
}

Session::Options session_options(const Backend::Options& options) {
  return {.client = {.servers = fmt::format("{}", fmt::join(options.servers, ",")),
                     .session_timeout = options.session_timeout,
                     .credentials = options.user.empty() ? "" : options.user + ":" + options.password,
                     .only_creator = options.only_creator},
          .user = options.user,
          .operation_timeout = options.operation_timeout};
}

}  // namespace

class Backend::Impl {
 public:
  Impl(const Options& options, const Clock& clock, telemetry::Log& log)
      : session_(session_options(options), dispatcher_, clock, log),
        watches_(session_, dispatcher_, log, Watches::Limits{}),
        state_(options.chroot, session_, watches_),
        leases_(options.chroot + options.leases_path, options.node_id, session_, dispatcher_, clock, log) {
    leases_.start();
    session_.start({&leases_, &watches_});
  }

  // First nothing of ours runs any more, then the client's threads end, which may still post.
  ~Impl() {
    dispatcher_.stop();
    session_.stop();
  }

  ZooKeeperStateStore& state() { return state_; }
  ZooKeeperLeases& leases() { return leases_; }

 private:
  WorkerPool dispatcher_{"zookeeper", 1};
  Session session_;
  Watches watches_;
  ZooKeeperStateStore state_;
  ZooKeeperLeases leases_;
};

Result<std::unique_ptr<Backend>> Backend::open(Options options, const Clock& clock, telemetry::Log& log) {
  if (auto valid = check(options); !valid) return valid;
  return std::unique_ptr<Backend>(new Backend(std::make_unique<Impl>(options, clock, log)));
}

Backend::Backend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::~Backend() = default;

StateStore& Backend::state() { return impl_->state(); }
Leases& Backend::leases() { return impl_->leases(); }

}  // namespace fermata::zookeeper
