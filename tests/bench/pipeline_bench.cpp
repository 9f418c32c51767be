// The embedded queue and a no-op processor, against a bare SQLite loop of the same durability in the same run.
// Usage: bench_pipeline [records], default 1,000,000 of 1 KiB each.

#include "adapters/embedded/embedded.hpp"
#include "bench/bench.hpp"

#include <sqlite3.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace fermata;
using namespace fermata::bench;
using namespace std::chrono_literals;

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * 4'096 / (1 << 20);
}

// A queue without an inside: `count` records made on the fly, so that what is measured is the pipeline.
class BottomlessQueue final : public Queue {
 public:
  explicit BottomlessQueue(std::int64_t count) : count_(count) {}
  Status ensure_topic(std::string_view, std::int32_t) override { return Status::ok(); }
  Status produce(std::vector<NewRecord>, Produced) override { return {Code::kUnimplemented, "nothing to produce to"}; }
  Result<std::unique_ptr<Consumer>> consume(std::string_view, std::string_view, Consumer::Events events) override {
    return std::unique_ptr<Consumer>(std::make_unique<Reader>(count_, std::move(events)));
  }
  Result<std::vector<TopicInfo>> topics() override { return std::vector<TopicInfo>(); }
  Health health() const override { return {}; }

 private:
  class Reader final : public Consumer {
   public:
    Reader(std::int64_t count, Events events) : count_(count), events_(std::move(events)) {}
    Result<std::vector<QueueRecord>> poll(std::size_t max_records, std::size_t) override {
      std::vector<QueueRecord> records;
      if (!open_) return records;
      records.reserve(max_records);
      for (; next_ < count_ && records.size() < max_records; ++next_)
        records.push_back({0, next_, 0, key_of(next_), std::string(kValueBytes, 'x')});
      return records;
    }
    void set_gate(bool open) override {
      open_ = open;
      if (open) events_.on_ready();
    }
    void commit(std::span<const PartitionOffset>) override {}
    std::int64_t lag() const override { return count_ - next_; }

   private:
    const std::int64_t count_;
    Events events_;
    std::atomic<std::int64_t> next_{0};
    std::atomic<bool> open_{false};
  };
  std::int64_t count_;
};

/// SQLite as one would use it by hand: WAL, synchronous=FULL, batches of a thousand.
class BareSqlite {
 public:
  explicit BareSqlite(const std::filesystem::path& file) {
    if (sqlite3_open(file.c_str(), &database_) != SQLITE_OK) throw std::runtime_error("cannot open " + file.string());
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE records (position INTEGER PRIMARY KEY, key TEXT, value BLOB);"
        "CREATE TABLE offsets (name TEXT PRIMARY KEY, position INTEGER); INSERT INTO offsets VALUES ('group', 0);");
  }
  ~BareSqlite() { sqlite3_close(database_); }
  BareSqlite(const BareSqlite&) = delete;
  BareSqlite& operator=(const BareSqlite&) = delete;

  void insert(std::int64_t count) {
    sqlite3_stmt* statement = prepare("INSERT INTO records VALUES (?, ?, ?)");
    const std::string value(kValueBytes, 'x');
    for (std::int64_t begin = 0; begin < count; begin += kBatch) {
      run("BEGIN IMMEDIATE");
      for (std::int64_t number = begin; number < std::min(begin + kBatch, count); ++number) {
        const std::string key = key_of(number);
        sqlite3_bind_int64(statement, 1, number);
        sqlite3_bind_text(statement, 2, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
        sqlite3_bind_blob(statement, 3, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(database_));
        sqlite3_reset(statement);
      }
      run("COMMIT");
    }
    sqlite3_finalize(statement);
  }

  /// Reads everything, writing the offset once a second, as the pipeline does; unlike the queue it never frees space.
  void read(std::int64_t count) {
    sqlite3_stmt* statement = prepare("SELECT position, key, value FROM records WHERE position >= ? ORDER BY position LIMIT 1000");
    std::int64_t next = 0;
    auto committed_at = SteadyClock::now();
    while (next < count) {
      sqlite3_bind_int64(statement, 1, next);
      while (sqlite3_step(statement) == SQLITE_ROW) {
        const QueueRecord record{0, sqlite3_column_int64(statement, 0), 0, text(statement, 1), text(statement, 2)};
        next = record.offset + 1;
      }
      sqlite3_reset(statement);
      if (next < count && SteadyClock::now() - committed_at < 1s) continue;
      run("UPDATE offsets SET position = " + std::to_string(next));
      committed_at = SteadyClock::now();
    }
    sqlite3_finalize(statement);
  }

 private:
  static std::string text(sqlite3_stmt* statement, int column) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
  }
  void run(const std::string& sql) {
    if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database_));
  }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database_));
    return statement;
  }

  sqlite3* database_ = nullptr;
};

void print_pauses(const std::vector<double>& latencies) {
  const auto at = [&](double share) { return latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))]; };
  std::printf("pause to last delivery: p50 %.1f us, p99 %.1f us, max %.1f us (%zu pauses)\n", at(0.5), at(0.99), latencies.back(),
              latencies.size());
}

void run(std::int64_t count, const std::filesystem::path& folder) {
  SystemClock clock;
  telemetry::Log log({.level = telemetry::Level::kWarn});
  auto opened = embedded::Backend::open({.data_dir = (folder / "embedded").string(), .node_id = "bench"}, clock, log);
  check(opened.status());
  embedded::Backend& backend = **opened;

  BottomlessQueue bottomless(count);
  print("pipeline alone", NoOpService(bottomless, backend).consume(count));

  const double idle_mib = resident_mib();
  const Cost produced = measure(count, [&] { produce(backend.queue(), count); });
  print("embedded: produce, durable", produced);
  std::printf("resident memory: %.1f MiB idle, %.1f MiB at a backlog of %lld records\n", idle_mib, resident_mib(),
              static_cast<long long>(count));
  Cost consumed;
  {
    NoOpService service(backend.queue(), backend);
    consumed = service.consume(count);
  }
  print("embedded: consume, committed", consumed);
  BottomlessQueue endless(std::int64_t{1} << 40);
  print_pauses(NoOpService(endless, backend).pause_latencies(1'000));

  BareSqlite peer(folder / "peer.db");
  const Cost inserted = measure(count, [&] { peer.insert(count); });
  print("bare SQLite: insert", inserted);
  const Cost read = measure(count, [&] { peer.read(count); });
  print("bare SQLite: select, offset", read);
  std::printf("ratio to bare SQLite: produce %.2f, consume %.2f (records/s); CPU %.2f and %.2f\n",
              produced.per_second / inserted.per_second, consumed.per_second / read.per_second, produced.cpu_us / inserted.cpu_us,
              consumed.cpu_us / read.cpu_us);
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = (std::filesystem::temp_directory_path() / "fermata-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 1;
  }
  int result = 0;
  try {
    run(argc > 1 ? std::stoll(argv[1]) : 1'000'000, folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_pipeline: %s\n", error.what());
    result = 1;
  }
  std::filesystem::remove_all(folder);
  return result;
}
