// The plugin "ingestion" on the embedded backend, in two halves, each against a peer in the same run:
//   log to queue    a log over HTTP -> parser, filter, records, checkpoints   against   bare batches of the same records
//   queue to store  processor, transformation, SQLite                         against   bare SQLite upserts of the same values
// Usage: bench_ingestion [records], default 200,000.

#include "adapters/embedded/embedded.hpp"
#include "bench/bench.hpp"
#include "plugin/host_bridge.hpp"
#include "unit/common/scripted_server.hpp"

#include "ingestion_service.hpp"
#include "record.hpp"
#include "transform.hpp"
#include "version_id.hpp"

#include <sqlite3.h>
#include <stdlib.h>
#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fermata;
using namespace fermata::bench;
namespace json = boost::json;

constexpr std::int64_t kReadLimit = 10'000;

std::string version_of(std::int64_t number) { return std::to_string(98'204'680'839'378 - number) + "999999RG001  "; }
std::string metadata_key(std::int64_t number) {
  return "object-" + std::to_string(number) + ingestion::kVersionSeparator + version_of(number);
}

/// As CloudServer writes it, about 1.3 KB.
std::string metadata_of(std::int64_t number) {
  static const std::string text =
      R"({"owner-display-name":"Bart","owner-id":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be","content-length":11,)"
      R"("content-type":"text/plain","content-md5":"5eb63bbbe01eeed093cb22bb8f5acdc3","content-language":"","x-amz-version-id":"null",)"
      R"("x-amz-server-version-id":"","x-amz-storage-class":"STANDARD","x-amz-server-side-encryption":"",)"
      R"("x-amz-server-side-encryption-aws-kms-key-id":"","x-amz-server-side-encryption-customer-algorithm":"",)"
      R"("x-amz-website-redirect-location":"","x-amz-scal-transition-in-progress":false,"acl":{"Canned":"private","FULL_CONTROL":[],)"
      R"("WRITE_ACP":[],"READ":[],"READ_ACP":[]},"key":"object","location":[{"key":"9c54780eae85a3c919395e47fb5ad0b602d9c1ac","size":11,)"
      R"("start":0,"dataStoreName":"file","dataStoreETag":"1:5eb63bbbe01eeed093cb22bb8f5acdc3"}],"isDeleteMarker":false,"tags":{},)"
      R"("replicationInfo":{"status":"","backends":[],"content":[],"destination":"","storageClass":"","role":"","storageType":"",)"
      R"("dataStoreVersionId":"","isNFS":null},"dataStoreName":"us-east-1","originOp":"s3:ObjectCreated:Put","deleted":false,"isPHD":false,)"
      R"("last-modified":"2026-11-22T03:46:00.616Z","md-model-version":6,"x-amz-meta-foo":"bar","versionId":")";
  return text + version_of(number) + "\"}";
}

/// A raft log of `count` records made on the fly.
class LogServer {
 public:
  explicit LogServer(std::int64_t count) : count_(count) {
    json::string escaped_value(metadata_of(0));
    value_ = json::serialize(json::value(escaped_value));
    value_.resize(value_.find(version_of(0)));  // up to the version id
  }
  std::string url() const { return server_.url(); }

 private:
  static std::int64_t begin_in(const std::string& head) {
    const auto at = head.find("begin=");
    return at == std::string::npos ? 1 : std::stoll(head.substr(at + 6));
  }

  static void write_chunk(test::Peer& peer, std::string& piece) {
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    peer.write(size);
    peer.write(piece.append("\r\n"));
    piece.clear();
  }

  // In chunks as it is made, as Node.js does.
  void serve(test::Peer& peer) const {
    constexpr std::size_t kChunk = 64u << 10;
    std::string piece;
    for (std::string head = peer.read_head(); !head.empty(); head = peer.read_head()) {
      const std::int64_t begin = begin_in(head);
      if (begin > count_) {
        peer.write("HTTP/1.1 416 Beyond\r\nContent-Length: 0\r\n\r\n");
        continue;
      }
      peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      piece = R"({"info":{"start":)" + std::to_string(begin) + R"(,"cseq":)" + std::to_string(count_) + R"(,"prune":1},"log":[)";
      for (std::int64_t number = begin; number <= std::min(count_, begin + kReadLimit - 1); ++number) {
        if (number > begin) piece += ',';
        const std::string version = version_of(number);
        piece.append(R"({"db":"photos","method":8,"entries":[{"key":"object-)").append(std::to_string(number)).append("\\u0000");
        piece.append(version).append(R"(","value":)").append(value_).append(version).append(R"(\"}"}]})");
        if (piece.size() >= kChunk) write_chunk(peer, piece);
      }
      piece += "]}";
      write_chunk(peer, piece);
      peer.write("0\r\n\r\n");
    }
  }

  const std::int64_t count_;
  std::string value_;
  test::ScriptedServer server_{[this](test::Peer& peer, int) { serve(peer); }};
};

class NoRoutes final : public HttpRoutes {
 public:
  Status add(std::string_view, std::string_view, std::string_view, Handler) override { return Status::ok(); }
  void remove_all(std::string_view) override {}
};

/// The plugin as the daemon runs it, on a backend.
class Service {
 public:
  Service(embedded::Backend& backend, const std::string& config)
      : pipelines_("ingestion", "/backbeat/ingestion", {},
                   {backend.queue(), backend.kv(), backend.state(), backend.leases(), workers_, workers_, clock_, log_, metrics_}),
        bridge_("ingestion", "ingestion", {"ring"}, {pipelines_, backend.kv(), workers_, clock_, log_, metrics_, routes_}),
        host_(bridge_.abi()) {
    check(plugin_.init(host_, config));
    bridge_.end_registration();
    check(plugin_.start());
    check(pipelines_.start());
  }
  ~Service() {
    pipelines_.set_gate("ring", false);
    (void)plugin_.stop();
    (void)pipelines_.stop(std::chrono::seconds(10));
    bridge_.stop_callbacks(std::chrono::seconds(5));
  }

  Cost read_log(std::int64_t records) {
    return measure(records, [&] {
      pipelines_.set_gate("ring", true);
      wait_for("the log", [&] { return pipelines_.counts("ring").processed >= records; });
    });
  }
  void wait_stored(std::int64_t records) {
    wait_for("the store", [&] { return pipelines_.counts("").processed >= records; });
  }

 private:
  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kWarn}};
  telemetry::Metrics metrics_;
  NoRoutes routes_;
  WorkerPool workers_{"bench", 2};
  pipeline::ServicePipelines pipelines_;
  plugin::HostBridge bridge_;
  sdk::Host host_;
  ingestion::IngestionService plugin_;
};

std::string config(const std::string& url, const std::string& store) {
  json::value out = {{"service", "ingestion"},
                     {"settings", {{"store", {{"type", store.empty() ? "elsewhere" : "sqlite"}}}}},
                     {"locations", json::array{{{"name", "ring"},
                                                {"endpoint", url},
                                                {"sessions", {1}},
                                                {"from", "beginning"},
                                                {"owner", {{"id", "owner-1"}, {"display_name", "Owner"}}},
                                                {"buckets", json::array{{{"source", "photos"}, {"target", "ring-photos"}}}}}}},
                     {"work_dir", "/"}};
  if (!store.empty()) out.at("settings").at("store").as_object()["path"] = store;
  return json::serialize(out);
}

/// The same records as the plugin makes, in batches as large, as many under way as the queue takes well.
void produce_records(Queue& queue, const std::vector<NewRecord>& records) {
  constexpr std::ptrdiff_t kUnderWay = 16;
  std::counting_semaphore<kUnderWay> slots(kUnderWay);
  for (std::size_t begin = 0; begin < records.size(); begin += kBatch) {
    std::vector<NewRecord> batch(records.begin() + static_cast<std::ptrdiff_t>(begin),
                                 records.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kBatch, records.size())));
    slots.acquire();
    check(queue.produce(std::move(batch), [&](const Status& status) {
      if (!status) std::abort();
      slots.release();
    }));
  }
  for (std::ptrdiff_t i = 0; i < kUnderWay; ++i) slots.acquire();
}

/// The same, one batch at a time: what a reader that keeps its place can do at most.
void produce_in_turn(Queue& queue, const std::vector<NewRecord>& records) {
  std::binary_semaphore durable(0);
  for (std::size_t begin = 0; begin < records.size(); begin += kBatch) {
    std::vector<NewRecord> batch(records.begin() + static_cast<std::ptrdiff_t>(begin),
                                 records.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kBatch, records.size())));
    check(queue.produce(std::move(batch), [&](const Status& status) {
      if (!status) std::abort();
      durable.release();
    }));
    durable.acquire();
  }
}

/// SQLite as one would use it by hand: WAL, synchronous=FULL, a thousand upserts to a transaction.
void upsert(const std::filesystem::path& file, const std::vector<ingestion::StoredChange>& changes) {
  sqlite3* database = nullptr;
  const auto run = [&database](const char* sql) {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database));
  };
  if (sqlite3_open(file.c_str(), &database) != SQLITE_OK) throw std::runtime_error("cannot open " + file.string());
  run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "CREATE TABLE objects (bucket TEXT, key TEXT, version TEXT, metadata TEXT, UNIQUE (bucket, key, version))");
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(
          database, "INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT (bucket, key, version) DO UPDATE SET metadata = excluded.metadata",
          -1, &statement, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(database));
  for (std::size_t begin = 0; begin < changes.size(); begin += kBatch) {
    run("BEGIN IMMEDIATE");
    for (std::size_t i = begin; i < std::min(begin + kBatch, changes.size()); ++i) {
      int index = 0;
      for (const auto* text : {&changes[i].bucket, &changes[i].key, &changes[i].version, &changes[i].metadata})
        sqlite3_bind_text(statement, ++index, text->data(), static_cast<int>(text->size()), SQLITE_STATIC);
      if (sqlite3_step(statement) != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(database));
      sqlite3_reset(statement);
    }
    run("COMMIT");
  }
  sqlite3_finalize(statement);
  sqlite3_close(database);
}

std::unique_ptr<embedded::Backend> open_backend(const std::filesystem::path& folder, const Clock& clock, telemetry::Log& log) {
  auto opened = embedded::Backend::open({.data_dir = folder.string(), .node_id = "bench"}, clock, log);
  check(opened.status());
  return std::move(*opened);
}

void run(std::int64_t count, const std::filesystem::path& folder) {
  SystemClock clock;
  telemetry::Log log({.level = telemetry::Level::kWarn});
  const LogServer source(count);

  std::vector<NewRecord> records;
  std::vector<ingestion::StoredChange> changes;
  const ingestion::BucketSettings bucket{"photos", "ring-photos", "owner-1", "Owner"};
  for (std::int64_t number = 1; number <= count; ++number) {
    const std::string key = metadata_key(number);
    records.push_back({"bare", ingestion::record_key("ring-photos", key),
                       ingestion::record_value(false, "ring-photos", key, metadata_of(number), {1, number})});
    auto change = ingestion::transform(*ingestion::parse_record(records.back().value), bucket, "ring");
    check(change.status());
    changes.push_back(std::move(*change));
  }

  const auto backend = open_backend(folder / "embedded", clock, log);
  const Cost bare = measure(count, [&] { produce_records(backend->queue(), records); });
  const Cost in_turn = measure(count, [&] { produce_in_turn(backend->queue(), records); });
  Cost read;
  {
    Service service(*backend, config(source.url(), {}));
    read = service.read_log(count);
  }
  Cost stored;
  {
    std::optional<Service> service;
    stored = measure(count, [&] {
      service.emplace(*backend, config(source.url(), (folder / "store.db").string()));
      service->wait_stored(count);
    });
  }
  const Cost upserted = measure(count, [&] { upsert(folder / "peer.db", changes); });

  print("bare producer", bare);
  print("bare producer, one batch at a time", in_turn);
  print("ingestion: log to queue", read);
  print("bare SQLite: upsert", upserted);
  print("ingestion: queue to store", stored);
  std::printf(
      "ratio log to queue %.2f of the bare producer's records/s, %.2f of it one batch at a time; queue to store %.2f of bare upserts\n",
      read.per_second / bare.per_second, read.per_second / in_turn.per_second, stored.per_second / upserted.per_second);
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
    run(argc > 1 ? std::stoll(argv[1]) : 200'000, folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_ingestion: %s\n", error.what());
    result = 1;
  }
  std::filesystem::remove_all(folder);
  return result;
}
