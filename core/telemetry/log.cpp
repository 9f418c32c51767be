#include "telemetry/log.hpp"

#include "base/time_format.hpp"
#include "telemetry/escape.hpp"
#include "telemetry/fd_sink.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <mutex>

namespace fermata::telemetry {
namespace {

constexpr std::size_t kQueuedLines = 2'048;

struct LevelNames {
  std::string_view text;
  std::string_view json;
  spdlog::level::level_enum spdlog;
};
constexpr std::array<LevelNames, 4> kLevels{{{"DEBUG", "debug", spdlog::level::debug},
                                             {"INFO ", "info", spdlog::level::info},
                                             {"WARN ", "warn", spdlog::level::warn},
                                             {"ERROR", "error", spdlog::level::err}}};

const LevelNames& names_of(Level level) { return kLevels[static_cast<std::size_t>(level)]; }

bool is_bare(std::string_view value) {
  for (const char c : value)
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  return !value.empty();
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text, Escape::kQuoted);
  out += '"';
}

std::string text_line(Level level, std::string_view component, std::string_view message, Log::Fields fields) {
  std::string line = format_iso(std::chrono::system_clock::now());
  line.append(1, ' ').append(names_of(level).text).append(1, ' ');
  append_escaped(line, component, Escape::kText);
  line += "  ";
  append_escaped(line, message, Escape::kText);
  for (const auto& [key, value] : fields) {
    line += ' ';
    append_escaped(line, key, Escape::kText);
    line += '=';
    if (is_bare(value))
      append_escaped(line, value, Escape::kText);
    else
      append_quoted(line, value);
  }
  line += '\n';
  return line;
}

std::string json_line(Level level, std::string_view component, std::string_view message, Log::Fields fields) {
  std::string line = R"({"time":")" + format_iso(std::chrono::system_clock::now()) + R"(","level":")";
  line.append(names_of(level).json).append(R"(","component":)");
  append_quoted(line, component);
  line += R"(,"message":)";
  append_quoted(line, message);
  std::string_view separator = R"(,"fields":{)";
  for (const auto& [key, value] : fields) {
    line += std::exchange(separator, ",");
    append_quoted(line, key);
    line += ':';
    append_quoted(line, value);
  }
  line += fields.size() == 0 ? "}\n" : "}}\n";
  return line;
}

/// What spdlog's thread writes to. Lines come formatted: the caller's time counts, not that of the writing thread.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(const Log::Options& options) : fd_(options.file), json_(options.json) {}

  void watch_overruns(spdlog::details::thread_pool* pool) { pool_ = pool; }

  bool reopen() {
    const std::lock_guard lock(mutex_);
    return fd_.reopen();
  }

 private:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    report_lost();
    if (!fd_.write({msg.payload.data(), msg.payload.size()})) ++dropped_;
  }
  void flush_() override {}

  void report_lost() {
    const std::size_t lost = dropped_ + pool_->overrun_counter();
    if (lost == reported_) return;
    const std::string count = std::to_string(lost - reported_);
    constexpr std::string_view kMessage = "log lines were lost: they came faster than they could be written";
    const auto line =
        json_ ? json_line(Level::kWarn, "log", kMessage, {{"lines", count}}) : text_line(Level::kWarn, "log", kMessage, {{"lines", count}});
    if (fd_.write(line)) reported_ = lost;
  }

  FdSink fd_;
  const bool json_;
  spdlog::details::thread_pool* pool_ = nullptr;
  std::size_t dropped_ = 0;
  std::size_t reported_ = 0;
};

}  // namespace

class Log::Impl {
 public:
  explicit Impl(const Options& options)
      : json(options.json),
        sink(std::make_shared<LineSink>(options)),
        pool(std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1)),
        logger(std::make_shared<spdlog::async_logger>("fermata", sink, pool, spdlog::async_overflow_policy::overrun_oldest)) {
    sink->watch_overruns(pool.get());
    logger->set_level(names_of(options.level).spdlog);
    logger->set_error_handler([](const std::string&) {});
  }

  const bool json;
  const std::shared_ptr<LineSink> sink;
  const std::shared_ptr<spdlog::details::thread_pool> pool;
  const std::shared_ptr<spdlog::async_logger> logger;  // gone before the pool, whose end writes what is queued
};

Log::Log(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
Log::~Log() = default;

bool Log::enabled(Level level) const { return impl_->logger->should_log(names_of(level).spdlog); }

void Log::write(Level level, std::string_view component, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  try {
    const auto line = impl_->json ? json_line(level, component, message, fields) : text_line(level, component, message, fields);
    impl_->logger->log(names_of(level).spdlog, spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::bad_alloc&) {
    // A line that finds no memory is lost; whoever logs goes on.
  }
}

void Log::set_level(Level level) { impl_->logger->set_level(names_of(level).spdlog); }

void Log::flush(std::chrono::milliseconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (impl_->pool->queue_size() > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  impl_->sink->flush();  // waits for the line that is being written
}

void Log::reopen() {
  if (!impl_->sink->reopen()) error("log", "the log file cannot be opened anew; writing goes on to the old one");
}

}  // namespace fermata::telemetry
