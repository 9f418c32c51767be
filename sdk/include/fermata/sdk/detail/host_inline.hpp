#pragma once
// Bodies of Host: the ABI's function tables below, std::function above, and a fence around each call into the plugin.

#include <fermata/sdk/host.hpp>

namespace fermata::sdk {

struct Host::RegisteredProcessor {
  Host* host;
  Processor spec;

  static void process(void* ctx, const fermata_record* raw, fermata_delivery* handle) {
    const auto& self = *static_cast<RegisteredProcessor*>(ctx);
    const detail::UnwindMark mark(handle);
    try {
      Record record{from_abi(raw->topic), raw->partition,       raw->offset,  raw->timestamp_ms,
                    from_abi(raw->key),   from_abi(raw->value), raw->attempt, raw->last_attempt != 0};
      if (raw->struct_size >= sizeof(fermata_record)) {
        record.redelivered = raw->redelivered != 0;
        record.id = from_abi(raw->id);
      }
      self.spec.process(record, Delivery(self.host->raw_->handle, &self.host->queue_, handle));
    } catch (...) {
      const std::string text = detail::exception_text();
      self.host->error("processor '" + self.spec.name + "': " + text, self.spec.location);
      if (mark.left()) self.host->queue_.complete(self.host->raw_->handle, handle, FERMATA_RETRY, to_abi(text));
    }
  }
};

struct Host::RegisteredPopulator {
  Host* host;
  Populator spec;

  static void poll(void* ctx, fermata_str checkpoint, fermata_batch* handle) {
    const auto& self = *static_cast<RegisteredPopulator*>(ctx);
    const detail::UnwindMark mark(handle);
    try {
      self.spec.poll(from_abi(checkpoint), Batch(self.host->raw_->handle, &self.host->populator_, handle));
    } catch (...) {
      const std::string text = detail::exception_text();
      self.host->error("populator '" + self.spec.name + "': " + text, self.spec.location);
      if (mark.left()) self.host->populator_.finish(self.host->raw_->handle, handle, FERMATA_INTERNAL, to_abi(text), {}, 0);
    }
  }
};

struct Host::Route {
  Host* host;
  std::string name;
  std::function<void(const HttpRequest&, Exchange)> handler;

  // An exception needs no word to the exchange: dropped, it answers 500. The text is for the log, not for clients.
  static void handle(void* ctx, const fermata_request* raw, fermata_exchange* handle) {
    const auto& self = *static_cast<Route*>(ctx);
    try {
      const HttpRequest request{from_abi(raw->method), from_abi(raw->path), from_abi(raw->rest),
                                from_abi(raw->query),  from_abi(raw->body), raw};
      self.handler(request, Exchange(self.host->raw_->handle, &self.host->http_, handle));
    } catch (...) {
      self.host->error("route '" + self.name + "': " + detail::exception_text());
    }
  }
};

inline Host::Host(const fermata_host* host)
    : raw_(host),
      log_(detail::resolve(*host, FERMATA_LOG_INTERFACE, detail::absent_log())),
      clock_(detail::resolve(*host, FERMATA_CLOCK_INTERFACE, detail::absent_clock())),
      metrics_(detail::resolve(*host, FERMATA_METRICS_INTERFACE, detail::absent_metrics())),
      queue_(detail::resolve(*host, FERMATA_QUEUE_INTERFACE, detail::absent_queue())),
      populator_(detail::resolve(*host, FERMATA_POPULATOR_INTERFACE, detail::absent_populator())),
      kv_(detail::resolve(*host, FERMATA_KV_INTERFACE, detail::absent_kv())),
      executor_(detail::resolve(*host, FERMATA_EXECUTOR_INTERFACE, detail::absent_executor())),
      http_(detail::resolve(*host, FERMATA_HTTP_INTERFACE, detail::absent_http())),
      failed_(detail::resolve(*host, FERMATA_FAILED_INTERFACE, detail::absent_failed())) {}

inline Metric Host::series(int32_t kind, std::string_view name, std::string_view help, Labels labels) const {
  std::vector<fermata_label> raw_labels;
  raw_labels.reserve(labels.size());
  for (const auto& [label, value] : labels) raw_labels.push_back({to_abi(label), to_abi(value)});
  fermata_metric* metric = nullptr;
  const fermata_code code =
      metrics_.series(raw_->handle, kind, to_abi(name), to_abi(help), raw_labels.data(), raw_labels.size(), &metric, nullptr);
  return code == FERMATA_OK ? Metric(metrics_.record, metric) : Metric();
}

inline Status Host::register_processor(Processor processor) {
  if (!processor.process) return {Code::kInvalidArgument, "processor '" + processor.name + "' has no process function"};
  const auto& owned = processors_.emplace_back(new RegisteredProcessor{this, std::move(processor)});
  const Processor& spec = owned->spec;
  const fermata_processor raw{sizeof(raw),           spec.max_in_flight, to_abi(spec.name), to_abi(spec.topic),
                              to_abi(spec.location), to_abi(spec.group), owned.get(),       &RegisteredProcessor::process};
  auto error = make_error();
  auto status = from_abi(queue_.register_processor(raw_->handle, &raw, &error), error);
  if (!status.is_ok()) processors_.pop_back();
  return status;
}

inline Status Host::register_populator(Populator populator) {
  if (!populator.poll) return {Code::kInvalidArgument, "populator '" + populator.name + "' has no poll function"};
  const auto& owned = populators_.emplace_back(new RegisteredPopulator{this, std::move(populator)});
  const Populator& spec = owned->spec;
  const fermata_populator raw{sizeof(raw),           0,           to_abi(spec.name),         to_abi(spec.topic),
                              to_abi(spec.location), owned.get(), &RegisteredPopulator::poll};
  auto error = make_error();
  auto status = from_abi(populator_.register_populator(raw_->handle, &raw, &error), error);
  if (!status.is_ok()) populators_.pop_back();
  return status;
}

inline Status Host::add_route(std::string_view method, std::string_view pattern,
                              std::function<void(const HttpRequest&, Exchange)> handler) {
  std::string name = std::string(method) + " " + std::string(pattern);
  if (!handler) return {Code::kInvalidArgument, "route '" + name + "' has no handler"};
  const auto& owned = routes_.emplace_back(new Route{this, std::move(name), std::move(handler)});
  auto error = make_error();
  auto status = from_abi(http_.add_route(raw_->handle, to_abi(method), to_abi(pattern), &Route::handle, owned.get(), &error), error);
  if (!status.is_ok()) routes_.pop_back();
  return status;
}

inline Status Host::produce(std::string_view topic, std::string_view key, std::string_view value,
                            std::function<void(Status)> produced) const {
  using Call = detail::PendingCalls<Status>::Call;
  const auto when_produced = [](void* ctx, fermata_code code, fermata_str text) {
    auto* call = static_cast<Call*>(ctx);
    const Host& host = *call->host;
    const auto function = detail::PendingCalls<Status>::take(call);
    host.run_fenced("a produce callback",
                    [&] { function(code == FERMATA_OK ? Status::ok() : Status(static_cast<Code>(code), std::string(from_abi(text)))); });
  };
  auto error = make_error();
  if (!produced) return from_abi(queue_.produce(raw_->handle, to_abi(topic), to_abi(key), to_abi(value), nullptr, nullptr, &error), error);
  Call* call = produced_.add(this, std::move(produced));
  auto status = from_abi(queue_.produce(raw_->handle, to_abi(topic), to_abi(key), to_abi(value), when_produced, call, &error), error);
  if (!status.is_ok()) detail::PendingCalls<Status>::take(call);
  return status;
}

inline Result<std::optional<std::string>> Host::kv_get(std::string_view key) const {
  std::string value;
  const auto keep = [](void* ctx, fermata_str data) { *static_cast<std::string*>(ctx) = from_abi(data); };
  auto error = make_error();
  auto status = from_abi(kv_.get(raw_->handle, to_abi(key), keep, &value, &error), error);
  if (status.code() == Code::kNotFound) return std::optional<std::string>();
  if (!status.is_ok()) return status;
  return std::optional(std::move(value));
}

inline Result<std::vector<KeyValue>> Host::kv_scan(std::string_view prefix, std::string_view after, uint32_t limit) const {
  std::vector<KeyValue> found;
  const auto keep = [](void* ctx, fermata_str key, fermata_str value) -> int32_t {
    static_cast<std::vector<KeyValue>*>(ctx)->push_back({std::string(from_abi(key)), std::string(from_abi(value))});
    return 1;
  };
  auto error = make_error();
  auto status = from_abi(kv_.scan(raw_->handle, to_abi(prefix), to_abi(after), limit, keep, &found, &error), error);
  if (!status.is_ok()) return status;
  return found;
}

inline Result<std::vector<FailedRecord>> Host::failed(std::string_view location, std::string_view after_id, uint32_t limit) const {
  std::vector<FailedRecord> found;
  const auto keep = [](void* ctx, const fermata_failed_record* raw) -> int32_t {
    const auto text = [](fermata_str given) { return std::string(from_abi(given)); };
    static_cast<std::vector<FailedRecord>*>(ctx)->push_back(
        {text(raw->id), text(raw->topic), text(raw->key), text(raw->value), text(raw->reason), raw->attempts, raw->failed_at_ms});
    return 1;
  };
  auto error = make_error();
  auto status = from_abi(failed_.list(raw_->handle, to_abi(location), to_abi(after_id), limit, keep, &found, &error), error);
  if (!status.is_ok()) return status;
  return found;
}

inline void Host::run_task(void* ctx) {
  auto* call = static_cast<detail::PendingCalls<>::Call*>(ctx);
  const Host& host = *call->host;
  const auto function = detail::PendingCalls<>::take(call);
  host.run_fenced("a task", function);
}

inline void Host::post(std::function<void()> task) const { executor_.post(raw_->handle, &run_task, tasks_.add(this, std::move(task))); }

inline uint64_t Host::post_after(std::chrono::milliseconds delay, std::function<void()> task) const {
  auto* call = tasks_.add(this, std::move(task));
  const uint64_t serial = call->serial;
  const auto delay_ms = static_cast<uint64_t>(std::max<int64_t>(delay.count(), 0));
  const uint64_t id = executor_.post_after(raw_->handle, delay_ms, &run_task, call);
  tasks_.name_timer(serial, id);
  return id;
}

inline bool Host::cancel(uint64_t timer_id) const {
  if (executor_.cancel(raw_->handle, timer_id) == 0) return false;
  tasks_.take_timer(timer_id);
  return true;
}

template <typename Call>
void Host::run_fenced(std::string_view what, const Call& call) const {
  try {
    call();
  } catch (...) {
    error(std::string(what) + ": " + detail::exception_text());
  }
}

}  // namespace fermata::sdk
