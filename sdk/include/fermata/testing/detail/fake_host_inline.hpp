#pragma once
// Bodies of FakeHost: first what tests call, then the ABI's function tables.

#include <fermata/testing/fake_host.hpp>

namespace fermata::sdk::testing {

inline FakeHost::FakeHost() : raw_{sizeof(fermata_host), FERMATA_ABI_MAJOR, FERMATA_ABI_MINOR, this, &get_interface} {}

// Tasks and timers

inline bool FakeHost::run_one() {
  std::function<void()> task;
  {
    const std::lock_guard lock(mutex_);
    const int64_t now = clock_.monotonic_ns();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      tasks_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    if (tasks_.empty()) return false;
    task = std::move(tasks_.front());
    tasks_.pop_front();
  }
  task();
  return true;
}

inline size_t FakeHost::run_ready() {
  size_t count = 0;
  while (count < kMaxTasks && run_one()) ++count;
  if (count == kMaxTasks) violation("tasks post each other without end");
  return count;
}

inline void FakeHost::advance(std::chrono::nanoseconds by) {
  const int64_t target = clock_.monotonic_ns() + by.count();
  run_ready();
  while (true) {
    int64_t due = target;
    {
      const std::lock_guard lock(mutex_);
      if (!timers_.empty()) due = std::min(due, timers_.begin()->first.first);
    }
    const int64_t step = due - clock_.monotonic_ns();
    if (step > 0) clock_.advance(std::chrono::nanoseconds(step));
    const size_t ran = run_ready();
    if ((ran == 0 && due == target) || ran == kMaxTasks) return;
  }
}

// Processors and the queue

inline std::vector<FakeHost::ProcessorInfo> FakeHost::processors() const {
  const std::lock_guard lock(mutex_);
  std::vector<ProcessorInfo> infos;
  for (const auto& entry : processors_) infos.push_back(entry.info);
  return infos;
}

inline std::shared_ptr<FakeDelivery> FakeHost::deliver(std::string_view name, const Message& message) {
  auto delivery = std::make_shared<FakeDelivery>();
  const ProcessorEntry* processor = nullptr;
  fermata_record record{};
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : processors_)
      if (entry.info.name == name) processor = &entry;
    if (processor == nullptr) return nullptr;
    deliveries_.push_back(delivery);
    record.offset = ++last_offset_;
  }
  record.struct_size = sizeof(record);
  record.attempt = message.attempt;
  record.last_attempt = message.last_attempt ? 1 : 0;
  record.topic = to_abi(message.topic.empty() ? processor->info.topic : message.topic);
  const std::string id = "fake/" + std::to_string(record.offset);
  record.redelivered = message.redelivered ? 1 : 0;
  record.id = to_abi(id);
  record.timestamp_ms = clock_.unix_ns() / 1'000'000;
  record.key = to_abi(message.key);
  record.value = to_abi(message.value);
  processor->process(processor->ctx, &record, reinterpret_cast<fermata_delivery*>(delivery.get()));
  return delivery;
}

inline Status FakeHost::produce(Message message, fermata_produced callback, void* ctx) {
  constexpr size_t kMaxBytes = 1u << 20u;
  if (message.key.size() + message.value.size() > kMaxBytes) return {Code::kInvalidArgument, "the record is over 1 MiB"};
  const std::lock_guard lock(mutex_);
  if (!refusal_.is_ok()) return refusal_;
  if (produce_result_.is_ok()) produced_.push_back(std::move(message));
  if (callback != nullptr) {
    tasks_.emplace_back(
        [callback, ctx, result = produce_result_] { callback(ctx, static_cast<fermata_code>(result.code()), to_abi(result.message())); });
  }
  return Status::ok();
}

// Populators

inline std::vector<FakeHost::PopulatorInfo> FakeHost::populators() const {
  const std::lock_guard lock(mutex_);
  std::vector<PopulatorInfo> infos;
  for (const auto& entry : populators_) infos.push_back(entry.info);
  return infos;
}

inline std::shared_ptr<FakeBatch> FakeHost::poll(std::string_view name) {
  std::shared_ptr<FakeBatch> batch;
  const PopulatorEntry* populator = nullptr;
  std::string checkpoint;
  {
    const std::lock_guard lock(mutex_);
    for (auto& entry : populators_) {
      if (entry.info.name != name) continue;
      if (entry.current && !entry.current->ended()) return nullptr;
      batch = entry.current = std::make_shared<FakeBatch>(entry.info.name, entry.info.topic);
      checkpoint = entry.checkpoint;
      populator = &entry;
    }
    if (populator == nullptr) return nullptr;
    batches_.push_back(batch);
  }
  populator->poll(populator->ctx, to_abi(checkpoint), reinterpret_cast<fermata_batch*>(batch.get()));
  return batch;
}

inline void FakeHost::finish(fermata_batch* handle, Status status, std::string_view checkpoint, uint32_t idle_ms) {
  auto& batch = *reinterpret_cast<FakeBatch*>(handle);
  BatchEnd end{std::move(status), std::string(checkpoint), std::chrono::milliseconds(idle_ms), batch.take()};
  constexpr size_t kMaxCheckpoint = 64u << 10u;
  if (checkpoint.size() > kMaxCheckpoint) violation("populator '" + batch.populator() + "': a checkpoint is over 64 KiB");
  if (batch.ended()) return violation("populator '" + batch.populator() + "': a batch was finished twice");
  if (end.status.is_ok()) {
    const std::lock_guard lock(mutex_);
    produced_.insert(produced_.end(), end.records.begin(), end.records.end());
    for (auto& entry : populators_)
      if (entry.info.name == batch.populator()) entry.checkpoint = end.next_checkpoint;
  }
  batch.end(std::move(end));
}

inline std::string FakeHost::checkpoint(std::string_view populator) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : populators_)
    if (entry.info.name == populator) return entry.checkpoint;
  return {};
}

inline void FakeHost::set_checkpoint(std::string_view populator, std::string_view checkpoint) {
  const std::lock_guard lock(mutex_);
  for (auto& entry : populators_)
    if (entry.info.name == populator) entry.checkpoint = checkpoint;
}

inline size_t FakeHost::wakes(std::string_view populator) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : populators_)
    if (entry.info.name == populator) return entry.wakes;
  return 0;
}

// Routes

inline bool FakeHost::RouteEntry::matches(std::string_view request_method, std::string_view path, std::string_view& rest) const {
  if (method != request_method) return false;
  if (!pattern.ends_with("/*")) return path == pattern;
  const auto prefix = std::string_view(pattern).substr(0, pattern.size() - 1);
  if (!path.starts_with(prefix)) return false;
  rest = path.substr(prefix.size());
  return true;
}

inline std::shared_ptr<FakeExchange> FakeHost::request(std::string_view method, std::string_view path, std::string_view body,
                                                       std::string_view query, const Headers& headers) {
  auto exchange = std::make_shared<FakeExchange>();
  const RouteEntry* route = nullptr;
  std::string_view rest;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : routes_)
      if (route == nullptr && entry.matches(method, path, rest)) route = &entry;
    if (route == nullptr) return nullptr;
    exchanges_.push_back(exchange);
  }
  RequestData data{};
  data.headers = &headers;
  data.raw = {sizeof(data.raw), 0, to_abi(method), to_abi(path), to_abi(rest), to_abi(query), to_abi(body), nullptr};
  data.raw.header = [](const fermata_request* raw, fermata_str name, fermata_sink sink, void* ctx) -> fermata_code {
    std::string lower(from_abi(name));
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto& known = *reinterpret_cast<const RequestData*>(raw)->headers;
    const auto header = known.find(lower);
    if (header == known.end()) return FERMATA_NOT_FOUND;
    sink(ctx, to_abi(header->second));
    return FERMATA_OK;
  };
  route->handler(route->ctx, &data.raw, reinterpret_cast<fermata_exchange*>(exchange.get()));
  return exchange;
}

// Failed store

inline std::vector<std::string> FakeHost::failed_ids(std::string_view location) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  if (const auto found = failed_.find(location); found != failed_.end())
    for (const auto& [id, record] : found->second) ids.push_back(id);
  return ids;
}

inline Status FakeHost::list_failed(std::string_view location, std::string_view after_id, uint32_t limit, fermata_failed_visit visit,
                                    void* ctx) {
  if (limit < 1 || limit > 1'000) return {Code::kInvalidArgument, "limit: 1 to 1,000"};
  std::map<std::string, FailedRecord> records;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = failed_.find(location); found != failed_.end()) records = found->second;
  }
  uint32_t count = 0;
  for (auto item = records.upper_bound(std::string(after_id)); item != records.end() && count < limit; ++item, ++count) {
    const FailedRecord& record = item->second;
    const fermata_failed_record raw{sizeof(raw),        record.attempts,      to_abi(record.id),     to_abi(record.topic),
                                    to_abi(record.key), to_abi(record.value), to_abi(record.reason), record.failed_at_ms};
    if (visit(ctx, &raw) == 0) break;
  }
  return Status::ok();
}

inline Status FakeHost::retry_failed(std::string_view location, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = failed_.find(location);
  if (found == failed_.end() || !found->second.contains(std::string(id))) return {Code::kNotFound, "no such record"};
  if (!produce_result_) return produce_result_;
  FailedRecord record = std::move(found->second.extract(std::string(id)).mapped());
  produced_.push_back({std::move(record.key), std::move(record.value), std::move(record.topic)});
  return Status::ok();
}

// Key-value store

inline Status FakeHost::put(std::string_view key, std::string_view value) {
  constexpr size_t kMaxKey = 4'096;
  constexpr size_t kMaxValue = 256u << 10u;
  if (key.empty() || key.size() > kMaxKey) return {Code::kInvalidArgument, "a key has 1 to 4,096 bytes"};
  if (value.size() > kMaxValue) return {Code::kInvalidArgument, "a value has at most 256 KiB"};
  const std::lock_guard lock(mutex_);
  if (!kv_status_.is_ok()) return kv_status_;
  kv_[std::string(key)] = value;
  return Status::ok();
}

inline Status FakeHost::scan(std::string_view prefix, std::string_view after, uint32_t limit, fermata_kv_visit visit, void* ctx) {
  std::map<std::string, std::string> entries;
  {
    const std::lock_guard lock(mutex_);
    if (!kv_status_.is_ok()) return kv_status_;
    entries = kv_;
  }
  uint32_t count = 0;
  for (auto entry = entries.lower_bound(std::string(std::max(prefix, after))); entry != entries.end() && count < limit; ++entry) {
    if (!entry->first.starts_with(prefix)) break;
    if (!after.empty() && entry->first <= after) continue;
    ++count;
    if (visit(ctx, to_abi(entry->first), to_abi(entry->second)) == 0) break;
  }
  return Status::ok();
}

// Logs and metrics

inline bool FakeHost::logged(std::string_view part) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(logs_.begin(), logs_.end(), [part](const LogLine& line) { return line.message.find(part) != std::string::npos; });
}

inline double FakeHost::metric(std::string_view name, const LabelMap& labels) const {
  const std::lock_guard lock(mutex_);
  for (const auto& series : series_)
    if (series.name == name && series.labels == labels) return series.value;
  return 0;
}

inline Status FakeHost::find_series(int32_t kind, std::string_view name, LabelMap labels, fermata_metric** metric) {
  constexpr size_t kMaxLabels = 8;
  if (labels.size() > kMaxLabels) return {Code::kInvalidArgument, "a series has at most 8 labels"};
  const std::lock_guard lock(mutex_);
  for (auto& series : series_) {
    if (series.name != name) continue;
    if (series.kind != kind) return {Code::kAlreadyExists, "metric '" + series.name + "' is of another kind"};
    if (series.labels != labels) continue;
    *metric = reinterpret_cast<fermata_metric*>(&series);
    return Status::ok();
  }
  series_.push_back({kind, std::string(name), std::move(labels), 0, this});
  *metric = reinterpret_cast<fermata_metric*>(&series_.back());
  return Status::ok();
}

inline size_t FakeHost::open_promises() const {
  const std::lock_guard lock(mutex_);
  const auto open = [](const auto& promise) { return !promise->ended(); };
  const auto count = std::count_if(deliveries_.begin(), deliveries_.end(), open) + std::count_if(batches_.begin(), batches_.end(), open) +
                     std::count_if(exchanges_.begin(), exchanges_.end(), open);
  return static_cast<size_t>(count);
}

// Registration

inline Status FakeHost::may_register(const std::string& what, bool name_is_taken) {
  if (sealed_) {
    violations_.push_back(what + " was registered after init");
    return {Code::kFailedPrecondition, what + ": register it within init"};
  }
  return name_is_taken ? Status(Code::kAlreadyExists, what + " is registered already") : Status::ok();
}

inline Status FakeHost::add_processor(const fermata_processor& processor) {
  ProcessorEntry entry{{std::string(from_abi(processor.name)), std::string(from_abi(processor.topic)),
                        std::string(from_abi(processor.location)), std::string(from_abi(processor.group)), processor.max_in_flight},
                       processor.ctx,
                       processor.process};
  if (entry.info.name.empty() || entry.info.topic.empty()) return {Code::kInvalidArgument, "a processor needs a name and a topic"};
  if (entry.info.location.empty() && entry.info.group.empty())
    return {Code::kInvalidArgument, "a processor without a location needs a group"};
  const std::lock_guard lock(mutex_);
  const bool taken =
      std::any_of(processors_.begin(), processors_.end(), [&](const auto& other) { return other.info.name == entry.info.name; });
  auto status = may_register("processor '" + entry.info.name + "'", taken);
  if (status.is_ok()) processors_.push_back(std::move(entry));
  return status;
}

inline Status FakeHost::add_populator(const fermata_populator& populator) {
  PopulatorEntry entry{
      {std::string(from_abi(populator.name)), std::string(from_abi(populator.topic)), std::string(from_abi(populator.location))},
      populator.ctx,
      populator.poll};
  if (entry.info.name.empty() || entry.info.topic.empty()) return {Code::kInvalidArgument, "a populator needs a name and a topic"};
  const std::lock_guard lock(mutex_);
  const bool taken =
      std::any_of(populators_.begin(), populators_.end(), [&](const auto& other) { return other.info.name == entry.info.name; });
  auto status = may_register("populator '" + entry.info.name + "'", taken);
  if (status.is_ok()) populators_.push_back(std::move(entry));
  return status;
}

inline Status FakeHost::add_route(RouteEntry route) {
  const std::string first = route.pattern.substr(0, route.pattern.find('/'));
  const bool reserved = first == "status" || first == "pause" || first == "resume" || first == "locations";
  const std::lock_guard lock(mutex_);
  const bool taken = std::any_of(routes_.begin(), routes_.end(),
                                 [&](const auto& other) { return other.method == route.method && other.pattern == route.pattern; });
  auto status = may_register("route '" + route.method + " " + route.pattern + "'", taken || reserved);
  if (status.is_ok()) routes_.push_back(std::move(route));
  return status;
}

// The tables

inline const void* FakeHost::get_interface(void* handle, const char* name) {
  const std::string_view wanted(name);
  if (self(handle).withheld_.contains(wanted)) return nullptr;
  if (wanted == FERMATA_LOG_INTERFACE) return log_table();
  if (wanted == FERMATA_CLOCK_INTERFACE) return clock_table();
  if (wanted == FERMATA_METRICS_INTERFACE) return metrics_table();
  if (wanted == FERMATA_QUEUE_INTERFACE) return queue_table();
  if (wanted == FERMATA_POPULATOR_INTERFACE) return populator_table();
  if (wanted == FERMATA_KV_INTERFACE) return kv_table();
  if (wanted == FERMATA_EXECUTOR_INTERFACE) return executor_table();
  if (wanted == FERMATA_HTTP_INTERFACE) return http_table();
  if (wanted == FERMATA_FAILED_INTERFACE) return failed_table();
  return nullptr;
}

inline const fermata_log_api* FakeHost::log_table() {
  static constexpr fermata_log_api kTable{
      sizeof(fermata_log_api), [](void*, int32_t) -> int32_t { return 1; },
      [](void* host, int32_t level, fermata_str location, fermata_str message) {
        const std::lock_guard lock(self(host).mutex_);
        self(host).logs_.push_back({level, std::string(from_abi(location)), std::string(from_abi(message))});
      }};
  return &kTable;
}

inline const fermata_clock_api* FakeHost::clock_table() {
  static constexpr fermata_clock_api kTable{sizeof(fermata_clock_api), [](void* host) { return self(host).clock_.unix_ns(); },
                                            [](void* host) { return self(host).clock_.monotonic_ns(); }};
  return &kTable;
}

inline const fermata_metrics_api* FakeHost::metrics_table() {
  static constexpr fermata_metrics_api kTable{
      sizeof(fermata_metrics_api),
      [](void* host, int32_t kind, fermata_str name, fermata_str, const fermata_label* labels, size_t label_count, fermata_metric** metric,
         fermata_error* error) {
        LabelMap named;
        for (size_t i = 0; i < label_count; ++i) named[std::string(from_abi(labels[i].name))] = from_abi(labels[i].value);
        return to_abi(self(host).find_series(kind, from_abi(name), std::move(named), metric), error);
      },
      [](fermata_metric* metric, double value) {
        auto& series = *reinterpret_cast<Series*>(metric);
        const std::lock_guard lock(series.host->mutex_);
        series.value = series.kind == FERMATA_GAUGE ? value : series.value + (series.kind == FERMATA_COUNTER ? value : 1);
      }};
  return &kTable;
}

inline const fermata_queue_api* FakeHost::queue_table() {
  static constexpr fermata_queue_api kTable{
      sizeof(fermata_queue_api),
      [](void* host, const fermata_processor* processor, fermata_error* error) {
        return to_abi(self(host).add_processor(*processor), error);
      },
      [](void* host, fermata_delivery* handle, fermata_outcome outcome, fermata_str text) {
        if (!reinterpret_cast<FakeDelivery*>(handle)->end({outcome, std::string(from_abi(text))}))
          self(host).violation("a delivery was completed twice");
      },
      [](void* host, fermata_str topic, fermata_str key, fermata_str value, fermata_produced produced, void* ctx, fermata_error* error) {
        Message message{std::string(from_abi(key)), std::string(from_abi(value)), std::string(from_abi(topic))};
        return to_abi(self(host).produce(std::move(message), produced, ctx), error);
      },
      [](void* host, fermata_str location) {
        const std::lock_guard lock(self(host).mutex_);
        self(host).hurried_.emplace_back(from_abi(location));
      }};
  return &kTable;
}

inline const fermata_populator_api* FakeHost::populator_table() {
  static constexpr fermata_populator_api kTable{
      sizeof(fermata_populator_api),
      [](void* host, const fermata_populator* populator, fermata_error* error) {
        return to_abi(self(host).add_populator(*populator), error);
      },
      [](void*, fermata_batch* batch, fermata_str key, fermata_str value, fermata_error* error) {
        return to_abi(reinterpret_cast<FakeBatch*>(batch)->add(from_abi(key), from_abi(value)), error);
      },
      [](void* host, fermata_batch* batch, fermata_code code, fermata_str text, fermata_str checkpoint, uint32_t idle_ms) {
        auto status = code == FERMATA_OK ? Status::ok() : Status(static_cast<Code>(code), std::string(from_abi(text)));
        self(host).finish(batch, std::move(status), from_abi(checkpoint), idle_ms);
      },
      [](void* host, fermata_str name) {
        const std::lock_guard lock(self(host).mutex_);
        for (auto& entry : self(host).populators_)
          if (entry.info.name == from_abi(name)) ++entry.wakes;
      }};
  return &kTable;
}

inline const fermata_kv_api* FakeHost::kv_table() {
  static constexpr fermata_kv_api kTable{
      sizeof(fermata_kv_api),
      [](void* host, fermata_str key, fermata_str value, fermata_error* error) {
        return to_abi(self(host).put(from_abi(key), from_abi(value)), error);
      },
      [](void* host, fermata_str key, fermata_error* error) {
        const std::lock_guard lock(self(host).mutex_);
        if (self(host).kv_status_.is_ok()) self(host).kv_.erase(std::string(from_abi(key)));
        return to_abi(self(host).kv_status_, error);
      },
      [](void* host, fermata_str key, fermata_sink sink, void* sink_ctx, fermata_error* error) {
        std::string value;
        {
          const std::lock_guard lock(self(host).mutex_);
          if (!self(host).kv_status_.is_ok()) return to_abi(self(host).kv_status_, error);
          const auto entry = self(host).kv_.find(std::string(from_abi(key)));
          if (entry == self(host).kv_.end()) return to_abi(Status(Code::kNotFound, "no such key"), error);
          value = entry->second;
        }
        sink(sink_ctx, to_abi(value));
        return to_abi(Status::ok(), error);
      },
      [](void* host, fermata_str prefix, fermata_str after, uint32_t limit, fermata_kv_visit visit, void* ctx, fermata_error* error) {
        return to_abi(self(host).scan(from_abi(prefix), from_abi(after), limit, visit, ctx), error);
      }};
  return &kTable;
}

inline const fermata_executor_api* FakeHost::executor_table() {
  static constexpr fermata_executor_api kTable{
      sizeof(fermata_executor_api),
      [](void* host, fermata_task task, void* ctx) {
        const std::lock_guard lock(self(host).mutex_);
        self(host).tasks_.emplace_back([task, ctx] { task(ctx); });
      },
      [](void* host, uint64_t delay_ms, fermata_task task, void* ctx) {
        constexpr uint64_t kMaxDelayMs = 30ull * 24 * 3'600 * 1'000;
        if (delay_ms > kMaxDelayMs) self(host).violation("a timer is over 30 days");
        const auto delay_ns = static_cast<int64_t>(std::min(delay_ms, kMaxDelayMs)) * 1'000'000;
        const std::lock_guard lock(self(host).mutex_);
        const uint64_t id = ++self(host).last_timer_;
        self(host).timers_.emplace(std::pair(self(host).clock_.monotonic_ns() + delay_ns, id), [task, ctx] { task(ctx); });
        return id;
      },
      [](void* host, uint64_t timer_id) -> int32_t {
        const std::lock_guard lock(self(host).mutex_);
        return std::erase_if(self(host).timers_, [timer_id](const auto& timer) { return timer.first.second == timer_id; }) > 0 ? 1 : 0;
      }};
  return &kTable;
}

inline const fermata_failed_api* FakeHost::failed_table() {
  static constexpr fermata_failed_api kTable{
      sizeof(fermata_failed_api),
      [](void* host, fermata_str location, fermata_str after_id, uint32_t limit, fermata_failed_visit visit, void* ctx,
         fermata_error* error) { return to_abi(self(host).list_failed(from_abi(location), from_abi(after_id), limit, visit, ctx), error); },
      [](void* host, fermata_str location, fermata_str id, fermata_error* error) {
        return to_abi(self(host).retry_failed(from_abi(location), from_abi(id)), error);
      },
      [](void* host, fermata_str location, fermata_str id, fermata_error*) -> fermata_code {
        const std::lock_guard lock(self(host).mutex_);
        if (const auto found = self(host).failed_.find(from_abi(location)); found != self(host).failed_.end())
          found->second.erase(std::string(from_abi(id)));
        return FERMATA_OK;
      }};
  return &kTable;
}

inline const fermata_http_api* FakeHost::http_table() {
  static constexpr fermata_http_api kTable{
      sizeof(fermata_http_api),
      [](void* host, fermata_str method, fermata_str pattern, fermata_handler handler, void* ctx, fermata_error* error) {
        return to_abi(self(host).add_route({std::string(from_abi(method)), std::string(from_abi(pattern)), handler, ctx}), error);
      },
      [](void* host, fermata_exchange* handle, int32_t status, fermata_str content_type, fermata_str body) {
        if (!reinterpret_cast<FakeExchange*>(handle)->end({status, std::string(from_abi(content_type)), std::string(from_abi(body))}))
          self(host).violation("a request was answered twice");
      }};
  return &kTable;
}

}  // namespace fermata::sdk::testing
