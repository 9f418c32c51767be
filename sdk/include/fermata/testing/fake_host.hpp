#pragma once

#include <fermata/abi/clock.h>
#include <fermata/abi/executor.h>
#include <fermata/abi/failed.h>
#include <fermata/abi/kv.h>
#include <fermata/abi/log.h>
#include <fermata/abi/metrics.h>
#include <fermata/abi/plugin.h>
#include <fermata/sdk/host.hpp>
#include <fermata/testing/manual_clock.hpp>
#include <fermata/testing/promises.hpp>

#include <algorithm>
#include <cctype>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::sdk::testing {

/// A Fermata host in memory, for one instance of a plugin: it offers every interface of the ABI, moves only when told, and
/// remembers what the plugin did. What a real host would complain about is collected in violations().
///
/// Lifecycle: outlives the plugin's instance. Tasks that are pending at its end never run.
/// Threads:   the plugin may call in from [any] thread. Plugin code runs only in the threads that call deliver, poll and
///            request ([any]), run_ready and advance (one at a time).
class FakeHost {
 public:
  FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  /// What to pass to fermata_plugin.create, or to Host's constructor.
  const fermata_host* raw() const { return &raw_; }
  ManualClock& clock() { return clock_; }
  /// From now on the host does not offer `interface_name`, as an older one would not.
  void withhold(std::string interface_name) { withheld_.insert(std::move(interface_name)); }
  /// Ends init: registering anything from now on is refused.
  void seal() {
    const std::lock_guard lock(mutex_);
    sealed_ = true;
  }

  // Tasks and timers. Callbacks of produce are tasks, too.
  static constexpr size_t kMaxTasks = 1'000'000;
  /// Runs what is due, and what that posts. @return how many tasks ran, at most kMaxTasks.
  size_t run_ready();
  /// Moves the clock on, running timers as they fall due, each at its own time.
  void advance(std::chrono::nanoseconds by);
  size_t pending_tasks() const {
    const std::lock_guard lock(mutex_);
    return tasks_.size() + timers_.size();
  }
  /// Drops what is pending, as the host does when the service has stopped.
  void drop_tasks() {
    const std::lock_guard lock(mutex_);
    tasks_.clear();
    timers_.clear();
  }

  // Processors and the queue.
  struct ProcessorInfo {
    std::string name;
    std::string topic;
    std::string location;
    std::string group;
    uint32_t max_in_flight = 0;
  };
  std::vector<ProcessorInfo> processors() const;
  /// Hands a record to the processor `name`. Null if there is none. An empty topic means the processor's.
  std::shared_ptr<FakeDelivery> deliver(std::string_view name, const Message& message);
  /// What the plugin produced, and what its finished batches emitted, in order.
  std::vector<Message> produced() const {
    const std::lock_guard lock(mutex_);
    return produced_;
  }
  /// While not ok, produce refuses at once with this status, e.g. kResourceExhausted.
  void refuse_produce(Status status) {
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(status);
  }
  /// What the callbacks of later produce calls, and retries of failed records, get; a record is appended only with ok.
  void set_produce_result(Status status) {
    const std::lock_guard lock(mutex_);
    produce_result_ = std::move(status);
  }

  /// The locations whose waiting records the plugin wanted to be due, in order.
  std::vector<std::string> hurried() const {
    const std::lock_guard lock(mutex_);
    return hurried_;
  }

  // The failed store.
  /// Puts a record there, as if the plugin had given it up.
  void give_up(std::string_view location, FailedRecord record) {
    const std::lock_guard lock(mutex_);
    failed_[std::string(location)][record.id] = std::move(record);
  }
  /// Ids of the records of `location`.
  std::vector<std::string> failed_ids(std::string_view location) const;

  // Populators.
  struct PopulatorInfo {
    std::string name;
    std::string topic;
    std::string location;
  };
  std::vector<PopulatorInfo> populators() const;
  /// Polls `name` from its checkpoint. Null if there is none, or if its last poll is unfinished.
  std::shared_ptr<FakeBatch> poll(std::string_view name);
  std::string checkpoint(std::string_view populator) const;
  void set_checkpoint(std::string_view populator, std::string_view checkpoint);
  /// How often the plugin asked for an early poll.
  size_t wakes(std::string_view populator) const;

  // Routes.
  using Headers = std::map<std::string, std::string>;  ///< names in lower case
  /// Sends a request to the service's routes; `path` is relative to the service's prefix. Null if no route matches.
  std::shared_ptr<FakeExchange> request(std::string_view method, std::string_view path, std::string_view body = {},
                                        std::string_view query = {}, const Headers& headers = {});

  // Key-value store.
  std::map<std::string, std::string> kv() const {
    const std::lock_guard lock(mutex_);
    return kv_;
  }
  /// While not ok, every kv call fails with it.
  void set_kv_status(Status status) {
    const std::lock_guard lock(mutex_);
    kv_status_ = std::move(status);
  }

  // Logs and metrics.
  struct LogLine {
    int32_t level;
    std::string location;
    std::string message;
  };
  std::vector<LogLine> logs() const {
    const std::lock_guard lock(mutex_);
    return logs_;
  }
  bool logged(std::string_view part) const;
  using LabelMap = std::map<std::string, std::string>;
  /// Counter: the sum. Gauge: the last value. Histogram: how many observations. 0 if there is no such series.
  double metric(std::string_view name, const LabelMap& labels = {}) const;

  /// What the plugin did against the ABI's rules, as sentences.
  std::vector<std::string> violations() const {
    const std::lock_guard lock(mutex_);
    return violations_;
  }
  /// Deliveries, polls and requests that nobody has ended yet.
  size_t open_promises() const;

 private:
  struct ProcessorEntry {
    ProcessorInfo info;
    void* ctx;
    void (*process)(void*, const fermata_record*, fermata_delivery*);
  };
  struct PopulatorEntry {
    PopulatorInfo info;
    void* ctx;
    void (*poll)(void*, fermata_str, fermata_batch*);
    std::string checkpoint = {};
    size_t wakes = 0;
    std::shared_ptr<FakeBatch> current = {};
  };
  struct RouteEntry {
    std::string method;
    std::string pattern;
    fermata_handler handler;
    void* ctx;
    bool matches(std::string_view request_method, std::string_view path, std::string_view& rest) const;
  };
  struct Series {
    int32_t kind;
    std::string name;
    LabelMap labels;
    double value = 0;
    FakeHost* host = nullptr;
  };
  struct RequestData {
    fermata_request raw;  // first: the header callback gets its address
    const Headers* headers;
  };

  static FakeHost& self(void* handle) { return *static_cast<FakeHost*>(handle); }
  static const fermata_log_api* log_table();
  static const fermata_clock_api* clock_table();
  static const fermata_metrics_api* metrics_table();
  static const fermata_queue_api* queue_table();
  static const fermata_populator_api* populator_table();
  static const fermata_kv_api* kv_table();
  static const fermata_executor_api* executor_table();
  static const fermata_http_api* http_table();
  static const fermata_failed_api* failed_table();
  static const void* get_interface(void* handle, const char* name);

  Status may_register(const std::string& what, bool name_is_taken);
  Status add_processor(const fermata_processor& processor);
  Status add_populator(const fermata_populator& populator);
  Status add_route(RouteEntry route);
  Status produce(Message message, fermata_produced callback, void* ctx);
  Status find_series(int32_t kind, std::string_view name, LabelMap labels, fermata_metric** metric);
  void finish(fermata_batch* handle, Status status, std::string_view checkpoint, uint32_t idle_ms);
  Status list_failed(std::string_view location, std::string_view after_id, uint32_t limit, fermata_failed_visit visit, void* ctx);
  Status retry_failed(std::string_view location, std::string_view id);
  Status put(std::string_view key, std::string_view value);
  Status scan(std::string_view prefix, std::string_view after, uint32_t limit, fermata_kv_visit visit, void* ctx);
  bool run_one();
  void violation(std::string text) {
    const std::lock_guard lock(mutex_);
    violations_.push_back(std::move(text));
  }

  fermata_host raw_;
  ManualClock clock_;
  std::set<std::string, std::less<>> withheld_;

  mutable std::mutex mutex_;  // guards all below
  bool sealed_ = false;
  std::deque<std::function<void()>> tasks_;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> timers_;  // by due time (monotonic ns) and id
  uint64_t last_timer_ = 0;
  std::list<ProcessorEntry> processors_;  // lists: entries stay put while plugin code runs unlocked
  std::list<PopulatorEntry> populators_;
  std::list<RouteEntry> routes_;
  // Kept to the end, so that a promise ended twice is noticed and not a stray pointer.
  std::vector<std::shared_ptr<FakeDelivery>> deliveries_;
  std::vector<std::shared_ptr<FakeBatch>> batches_;
  std::vector<std::shared_ptr<FakeExchange>> exchanges_;
  int64_t last_offset_ = -1;
  std::vector<Message> produced_;
  Status refusal_;
  Status produce_result_;
  std::vector<std::string> hurried_;
  std::map<std::string, std::map<std::string, FailedRecord>, std::less<>> failed_;  // by location and id
  std::map<std::string, std::string> kv_;
  Status kv_status_;
  std::vector<LogLine> logs_;
  std::list<Series> series_;
  std::vector<std::string> violations_;
};

}  // namespace fermata::sdk::testing

#include <fermata/testing/detail/fake_host_inline.hpp>
