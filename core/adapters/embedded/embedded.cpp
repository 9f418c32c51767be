#include "adapters/embedded/embedded.hpp"

#include "adapters/embedded/data_dir_lock.hpp"
#include "adapters/embedded/fanout.hpp"
#include "adapters/embedded/key_value_store.hpp"
#include "adapters/embedded/leases.hpp"
#include "adapters/embedded/queue.hpp"
#include "adapters/embedded/record_log.hpp"
#include "adapters/embedded/sqlite.hpp"
#include "adapters/embedded/state_store.hpp"
#include "adapters/embedded/writer.hpp"
#include "base/worker_pool.hpp"

#include <fmt/format.h>

#include <future>
#include <utility>

namespace fermata::embedded {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKeyValueBufferBytes = 64u << 20;
constexpr auto kProbeInterval = 1s;
constexpr auto kDrainTimeout = 5s;

Status check(const Backend::Options& options) {
  if (options.data_dir.empty()) return {Code::kInvalidArgument, "data_dir is empty: name a directory"};
  if (options.partitions < 1 || options.partitions > 1'024)
    return {Code::kInvalidArgument, fmt::format("queue.partitions is {}: choose 1 to 1024", options.partitions)};
  return Status::ok();
}

}  // namespace

class Backend::Impl {
 public:
  Impl(const Options& options, DataDirLock lock, const Clock& clock, telemetry::Log& log)
      : lock_(std::move(lock)),
        state_(options.data_dir + "/state.db", dispatcher_, clock),
        fanout_(dispatcher_),
        leases_(dispatcher_, options.node_id, state_.opened_times()),
        writer_(options.data_dir + "/queue.db", {.tick = options.commit_interval}, clock, log),
        readers_(options.data_dir + "/queue.db"),
        kv_(writer_, readers_, kKeyValueBufferBytes),
        records_({.default_partitions = options.partitions, .retention = options.retention}, writer_, readers_, dispatcher_, clock, log),
        queue_(records_, writer_, clock, options.producer_buffer_bytes) {
    writer_.start(records_);
    probe_later();
  }

  ~Impl() {
    writer_.stop();
    // The answers to the last batches are still on their way.
    auto drained = std::make_shared<std::promise<void>>();
    dispatcher_.post([drained] { drained->set_value(); });
    drained->get_future().wait_for(kDrainTimeout);
    dispatcher_.stop();
  }

  SqliteStateStore& state() { return state_; }
  InProcessFanout& fanout() { return fanout_; }
  InProcessLeases& leases() { return leases_; }
  SqliteQueue& queue() { return queue_; }
  SqliteKeyValueStore& kv() { return kv_; }

 private:
  void probe_later() {
    dispatcher_.post_after(kProbeInterval, [this] {
      state_.probe();
      probe_later();
    });
  }

  DataDirLock lock_;
  WorkerPool dispatcher_{"dispatch", 1};
  SqliteStateStore state_;
  InProcessFanout fanout_;
  InProcessLeases leases_;
  Writer writer_;
  ReaderPool readers_;
  SqliteKeyValueStore kv_;
  RecordLog records_;
  SqliteQueue queue_;
};

Result<std::unique_ptr<Backend>> Backend::open(Options options, const Clock& clock, telemetry::Log& log) {
  if (auto valid = check(options); !valid) return valid;
  auto lock = DataDirLock::take(options.data_dir, clock);
  if (!lock) return lock.status();
  try {
    return std::unique_ptr<Backend>(new Backend(std::make_unique<Impl>(options, std::move(*lock), clock, log)));
  } catch (const SqlError& error) {
    return error.status();
  }
}

Backend::Backend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::~Backend() = default;

StateStore& Backend::state() { return impl_->state(); }
Fanout& Backend::fanout() { return impl_->fanout(); }
Leases& Backend::leases() { return impl_->leases(); }
Queue& Backend::queue() { return impl_->queue(); }
KeyValueStore& Backend::kv() { return impl_->kv(); }

}  // namespace fermata::embedded
