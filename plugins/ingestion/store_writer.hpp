#pragma once

#include "metadata_store.hpp"
#include "transform.hpp"

#include <fermata/sdk/host.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fermata::ingestion {

/// How many changes of one location did what. Threads: [any].
struct StoreMetrics {
  sdk::Metric written;
  sdk::Metric same;
  sdk::Metric stale;
};

/// Writes changes to the store on a thread of its own: what comes within a few milliseconds becomes one transaction, and is
/// completed when that is durable. An error of the store is nothing a record can help: all of them are postponed.
///
/// Memory:  what the host hands out at one time.
/// Threads: push and trouble [any]; start and stop [control].
class StoreWriter {
 public:
  static constexpr std::size_t kMaxBatch = 1'000;
  static constexpr std::chrono::milliseconds kLinger{5};

  explicit StoreWriter(sdk::Host& host) : host_(host) {}
  ~StoreWriter() { stop(); }
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  /// @param owns  asked now and then, between transactions: whether the store may still be written; the reason if not.
  void start(MetadataStore store, std::function<std::string()> owns);
  /// Writes what was pushed, closes the store and joins. Idempotent.
  void stop();
  /// @param metrics  borrowed until the delivery is completed.
  void push(StoredChange change, sdk::Delivery delivery, const StoreMetrics& metrics);
  /// Why nothing can be written; empty: it can.
  std::string trouble() const;

 private:
  struct Pending {
    StoredChange change;
    sdk::Delivery delivery;
    const StoreMetrics* metrics;
    MetadataStore::Applied applied = MetadataStore::Applied::kWritten;
  };

  void run();
  std::vector<Pending> next_batch();
  Status write(std::vector<Pending>& batch);
  Status look_after_store();
  void finish(std::vector<Pending> batch, const Status& status);

  sdk::Host& host_;
  // Of the thread, while it runs.
  std::optional<MetadataStore> store_;
  std::function<std::string()> owns_;
  std::chrono::steady_clock::time_point looked_at_;
  std::chrono::steady_clock::time_point forgot_at_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool running_ = false;
  std::vector<Pending> pending_;
  std::string trouble_;
  std::thread thread_;
};

}  // namespace fermata::ingestion
