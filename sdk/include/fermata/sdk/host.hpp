#pragma once
// The host as a plugin sees it: thin C++ over the interfaces of <fermata/abi/*.h>, whose comments are the contract.

#include <fermata/abi/clock.h>
#include <fermata/abi/executor.h>
#include <fermata/abi/failed.h>
#include <fermata/abi/http.h>
#include <fermata/abi/kv.h>
#include <fermata/abi/log.h>
#include <fermata/abi/metrics.h>
#include <fermata/abi/plugin.h>
#include <fermata/abi/populator.h>
#include <fermata/abi/queue.h>
#include <fermata/sdk/detail/absent_interfaces.hpp>
#include <fermata/sdk/detail/fence.hpp>
#include <fermata/sdk/detail/pending_calls.hpp>
#include <fermata/sdk/status.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::sdk {

enum class LogLevel { kDebug = FERMATA_LOG_DEBUG, kInfo = FERMATA_LOG_INFO, kWarn = FERMATA_LOG_WARN, kError = FERMATA_LOG_ERROR };

/// A record on its way to a processor. Borrowed: copy what outlives the call.
struct Record {
  std::string_view topic;
  int32_t partition;
  int64_t offset;
  int64_t timestamp_ms;
  std::string_view key;
  std::string_view value;
  uint32_t attempt;           ///< 1 at the first delivery
  bool last_attempt = false;  ///< retry() uses up the retries: the record is given up
  bool redelivered = false;   ///< it may have been delivered before, here or elsewhere; false on hosts before ABI 1.1
  std::string_view id = {};   ///< what the failed store will call it; empty on hosts before ABI 1.1
};

/// The promise to say how one delivery went. Movable; complete it exactly once, from any thread. One that is dropped
/// uncompleted asks for a retry, so that a forgotten path never loses or blocks a record.
class Delivery {
 public:
  Delivery(void* host, const fermata_queue_api* api, fermata_delivery* handle) : host_(host), api_(api), handle_(handle) {}
  Delivery(Delivery&& other) noexcept : host_(other.host_), api_(other.api_), handle_(std::exchange(other.handle_, nullptr)) {}
  Delivery& operator=(Delivery&& other) noexcept {
    if (this != &other) {
      abandon();
      host_ = other.host_;
      api_ = other.api_;
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  ~Delivery() { abandon(); }

  void done() { complete(FERMATA_DONE, {}); }
  /// @param reason shown to operators while the record waits.
  void retry(std::string_view reason) { complete(FERMATA_RETRY, reason); }
  /// Nothing is wrong with the record, it just cannot be done now: as retry, but the attempt is not counted.
  /// @param reason shown to operators while the record waits.
  void postpone(std::string_view reason) { complete(FERMATA_POSTPONE, reason); }
  /// @param reason kept with the record in the failed store.
  void fail(std::string_view reason) { complete(FERMATA_FAILED, reason); }
  /// done, retry or fail, as `status` is ok, retryable() or neither.
  void finish(const Status& status) {
    if (status.is_ok()) return done();
    status.retryable() ? retry(status.message()) : fail(status.message());
  }

 private:
  void complete(fermata_outcome outcome, std::string_view text) {
    if (auto* handle = std::exchange(handle_, nullptr)) api_->complete(host_, handle, outcome, to_abi(text));
  }
  void abandon() {
    if (handle_ == nullptr || detail::UnwindMark::leave(handle_)) return;
    complete(FERMATA_RETRY, "the plugin dropped the delivery without completing it");
  }

  void* host_;
  const fermata_queue_api* api_;
  fermata_delivery* handle_;
};

/// What register_processor takes. `process` returns soon and never blocks. [any]
struct Processor {
  std::string name;
  std::string topic;
  std::string location;        ///< empty: never paused (ABI 1.1)
  std::string group = {};      ///< empty: "<service>-<location>"; without a location it must be given
  uint32_t max_in_flight = 0;  ///< 0: the host's default
  std::function<void(const Record&, Delivery)> process;
};

/// One poll of a populator. Movable; finish it exactly once, from any thread. One that is dropped counts as an error.
class Batch {
 public:
  Batch(void* host, const fermata_populator_api* api, fermata_batch* handle) : host_(host), api_(api), handle_(handle) {}
  Batch(Batch&& other) noexcept : host_(other.host_), api_(other.api_), handle_(std::exchange(other.handle_, nullptr)) {}
  Batch& operator=(Batch&& other) noexcept {
    if (this != &other) {
      abandon();
      host_ = other.host_;
      api_ = other.api_;
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() { abandon(); }

  /// @return kResourceExhausted when the batch is full: finish, and emit this record at the next poll.
  Status emit(std::string_view key, std::string_view value) {
    if (handle_ == nullptr) return {Code::kFailedPrecondition, "the batch is finished already"};
    auto error = make_error();
    return from_abi(api_->emit(host_, handle_, to_abi(key), to_abi(value), &error), error);
  }
  /// Everything up to `next_checkpoint` was emitted. @param idle time until the next poll; zero or less: at once.
  void finish(std::string_view next_checkpoint, std::chrono::milliseconds idle = {}) {
    end(FERMATA_OK, {}, next_checkpoint, static_cast<uint32_t>(std::clamp<int64_t>(idle.count(), 0, UINT32_MAX)));
  }
  /// The journal could not be read; the next poll starts from the old checkpoint, after a back-off.
  void fail(const Status& status) { end(static_cast<fermata_code>(status.code()), status.message(), {}, 0); }

 private:
  void end(fermata_code code, std::string_view text, std::string_view checkpoint, uint32_t idle_ms) {
    if (auto* handle = std::exchange(handle_, nullptr)) api_->finish(host_, handle, code, to_abi(text), to_abi(checkpoint), idle_ms);
  }
  void abandon() {
    if (handle_ == nullptr || detail::UnwindMark::leave(handle_)) return;
    end(FERMATA_INTERNAL, "the plugin dropped the batch without finishing it", {}, 0);
  }

  void* host_;
  const fermata_populator_api* api_;
  fermata_batch* handle_;
};

/// What register_populator takes. `poll` returns soon. [any]
struct Populator {
  std::string name;
  std::string topic;
  std::string location = {};  ///< empty: never paused
  std::function<void(std::string_view checkpoint, Batch)> poll;
};

/// One time series. Copyable; valid as long as the host. A default-made one ignores what it is told.
class Metric {
 public:
  Metric() = default;
  using RecordFunction = void (*)(fermata_metric*, double);
  Metric(RecordFunction function, fermata_metric* metric) : record_(function), metric_(metric) {}
  /// Counter: adds. Gauge: sets. Histogram: observes. [any]
  void record(double value) const {
    if (metric_ != nullptr) record_(metric_, value);
  }

 private:
  RecordFunction record_ = nullptr;
  fermata_metric* metric_ = nullptr;
};

struct HttpRequest {
  std::string_view method;
  std::string_view path;  ///< after the service's prefix, decoded
  std::string_view rest;  ///< what the pattern's "*" matched
  std::string_view query;
  std::string_view body;
  const fermata_request* raw;

  /// The header's value, or nullopt. Only within the handler.
  std::optional<std::string> header(std::string_view name) const {
    std::string value;
    const auto keep = [](void* ctx, fermata_str data) { *static_cast<std::string*>(ctx) = from_abi(data); };
    if (raw->header(raw, to_abi(name), keep, &value) != FERMATA_OK) return std::nullopt;
    return value;
  }
};

/// The promise to answer one request. Movable; one that is dropped answers 500.
class Exchange {
 public:
  Exchange(void* host, const fermata_http_api* api, fermata_exchange* handle) : host_(host), api_(api), handle_(handle) {}
  Exchange(Exchange&& other) noexcept : host_(other.host_), api_(other.api_), handle_(std::exchange(other.handle_, nullptr)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  Exchange& operator=(Exchange&&) = delete;
  ~Exchange() { respond(500, "application/json", R"({"InternalError":true})"); }

  void respond(int status, std::string_view content_type, std::string_view body) {
    if (auto* handle = std::exchange(handle_, nullptr)) api_->respond(host_, handle, status, to_abi(content_type), to_abi(body));
  }
  void respond_json(std::string_view json, int status = 200) { respond(status, "application/json", json); }

 private:
  void* host_;
  const fermata_http_api* api_;
  fermata_exchange* handle_;
};

/// A record that was given up.
struct FailedRecord {
  std::string id = {};
  std::string topic = {};
  std::string key = {};
  std::string value = {};
  std::string reason = {};
  uint32_t attempts = 0;
  int64_t failed_at_ms = 0;
};

struct KeyValue {
  std::string key;
  std::string value;
};

/// The host's services for one ServiceExtension. Threads: every method is [any] unless it says otherwise. The objects
/// registered (processors, populators, routes) are kept alive by this Host, which outlives the extension. An interface that
/// the host does not offer answers kUnimplemented, or does nothing where a call cannot fail.
class Host {
 public:
  explicit Host(const fermata_host* host);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  bool log_enabled(LogLevel level) const { return log_.enabled(raw_->handle, static_cast<int32_t>(level)) != 0; }
  void log(LogLevel level, std::string_view message, std::string_view location = {}) const {
    log_.write(raw_->handle, static_cast<int32_t>(level), to_abi(location), to_abi(message));
  }
  void debug(std::string_view message, std::string_view location = {}) const { log(LogLevel::kDebug, message, location); }
  void info(std::string_view message, std::string_view location = {}) const { log(LogLevel::kInfo, message, location); }
  void warn(std::string_view message, std::string_view location = {}) const { log(LogLevel::kWarn, message, location); }
  void error(std::string_view message, std::string_view location = {}) const { log(LogLevel::kError, message, location); }

  std::chrono::system_clock::time_point now() const {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(clock_.unix_ns(raw_->handle))));
  }
  std::chrono::nanoseconds monotonic() const { return std::chrono::nanoseconds(clock_.monotonic_ns(raw_->handle)); }

  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  /// A series, or one that ignores what it is told if the host refuses (the host logs why).
  Metric counter(std::string_view name, std::string_view help, Labels labels = {}) const {
    return series(FERMATA_COUNTER, name, help, labels);
  }
  Metric gauge(std::string_view name, std::string_view help, Labels labels = {}) const { return series(FERMATA_GAUGE, name, help, labels); }
  Metric histogram(std::string_view name, std::string_view help, Labels labels = {}) const {
    return series(FERMATA_HISTOGRAM, name, help, labels);
  }

  /// [control] Only within init.
  Status register_processor(Processor processor);
  /// [control] Only within init.
  Status register_populator(Populator populator);
  void wake_populator(std::string_view name) const { populator_.wake(raw_->handle, to_abi(name)); }

  /// `produced` is called once if and only if the returned Status is ok; it may be empty.
  Status produce(std::string_view topic, std::string_view key, std::string_view value, std::function<void(Status)> produced = {}) const;

  /// What waits for its next try at `location` is due now.
  void hurry(std::string_view location) const { queue_.hurry(raw_->handle, to_abi(location)); }

  /// Records that were given up at `location`, by id, after `after_id` (empty: from the first); see <fermata/abi/failed.h>.
  /// @param limit  1 to 1,000.
  Result<std::vector<FailedRecord>> failed(std::string_view location, std::string_view after_id, uint32_t limit) const;
  /// kNotFound: there is none of that id.
  Status retry_failed(std::string_view location, std::string_view id) const {
    auto error = make_error();
    return from_abi(failed_.retry(raw_->handle, to_abi(location), to_abi(id), &error), error);
  }
  Status discard_failed(std::string_view location, std::string_view id) const {
    auto error = make_error();
    return from_abi(failed_.discard(raw_->handle, to_abi(location), to_abi(id), &error), error);
  }

  Status kv_put(std::string_view key, std::string_view value) const {
    auto error = make_error();
    return from_abi(kv_.put(raw_->handle, to_abi(key), to_abi(value), &error), error);
  }
  Status kv_remove(std::string_view key) const {
    auto error = make_error();
    return from_abi(kv_.remove(raw_->handle, to_abi(key), &error), error);
  }
  /// The value; nullopt if there is none.
  Result<std::optional<std::string>> kv_get(std::string_view key) const;
  Result<std::vector<KeyValue>> kv_scan(std::string_view prefix, std::string_view after, uint32_t limit) const;

  /// An exception out of `task` is logged. A task still pending when the service stops is dropped, its closure freed with
  /// this Host.
  void post(std::function<void()> task) const;
  /// @param delay less than zero counts as zero. @return an id for cancel.
  uint64_t post_after(std::chrono::milliseconds delay, std::function<void()> task) const;
  /// True if the task will not run; its closure is freed.
  bool cancel(uint64_t timer_id) const;

  /// [control] Only within init. The handler answers through the Exchange, now or later.
  Status add_route(std::string_view method, std::string_view pattern, std::function<void(const HttpRequest&, Exchange)> handler);

  /// For interfaces that this header does not wrap; null if the host does not offer it.
  const void* get_interface(const char* name) const { return raw_->get_interface(raw_->handle, name); }

 private:
  struct Route;
  struct RegisteredProcessor;
  struct RegisteredPopulator;

  static void run_task(void* ctx);
  template <typename Call>
  void run_fenced(std::string_view what, const Call& call) const;
  Metric series(int32_t kind, std::string_view name, std::string_view help, Labels labels) const;

  const fermata_host* raw_;
  fermata_log_api log_;
  fermata_clock_api clock_;
  fermata_metrics_api metrics_;
  fermata_queue_api queue_;
  fermata_populator_api populator_;
  fermata_kv_api kv_;
  fermata_executor_api executor_;
  fermata_http_api http_;
  fermata_failed_api failed_;
  std::vector<std::unique_ptr<RegisteredProcessor>> processors_;
  std::vector<std::unique_ptr<RegisteredPopulator>> populators_;
  std::vector<std::unique_ptr<Route>> routes_;
  // Last, so freed first: a closure may hold a Delivery, which still wants queue_ in order to end itself.
  mutable detail::PendingCalls<> tasks_;
  mutable detail::PendingCalls<Status> produced_;
};

}  // namespace fermata::sdk

#include <fermata/sdk/detail/host_inline.hpp>
