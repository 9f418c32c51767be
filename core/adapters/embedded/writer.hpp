#pragma once

#include "adapters/embedded/sqlite.hpp"
#include "ports/health.hpp"
#include "telemetry/log.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fermata::embedded {

/// One thing to be written to queue.db. All calls come from the writer's thread.
class Work {
 public:
  virtual ~Work() = default;
  /// Within a transaction; throws SqlError. Called again, in the next transaction, if this one fails and the work stays.
  virtual void apply(Database& database) = 0;
  /// The transaction is durable.
  virtual void committed() = 0;
  /// The transaction failed. @return true to stay in line and be tried again, at the same place.
  virtual bool failed(const Status& why) = 0;
  virtual std::size_t bytes() const = 0;
};

/// What takes part in every transaction besides the works. All calls come from the writer's thread.
class WriterPart {
 public:
  virtual ~WriterPart() = default;
  /// A tick begins: everything handed in from now on may wait for the next one.
  virtual void begin_tick() = 0;
  /// @return whether write_tick has something to write.
  virtual bool tick_pending() const = 0;
  /// Within a transaction that holds every work handed in before begin_tick; throws SqlError.
  virtual void write_tick(Database& database) = 0;
  /// After the works of a transaction, within it; throws SqlError.
  virtual void finish(Database& database) = 0;
  virtual void committed() = 0;
  virtual void rolled_back() = 0;
  /// Every second, outside a transaction: a small piece of upkeep. @return true if there is more to do now. Throws SqlError.
  virtual bool maintain(Database& database) = 0;
};

/// The one thread that writes queue.db: it takes all that waits, in order of arrival, into one transaction, so that an
/// fsync serves everyone who waits. While the disk refuses, works stay or fail as each says, and it tries again.
///
/// Lifecycle: construct -> start -> stop. Threads: [any].
class Writer {
 public:
  struct Options {
    std::chrono::milliseconds tick{1'000};
    std::chrono::milliseconds retry{200};  ///< between attempts while writing fails
  };

  /// Throws SqlError. @param part  outlives the writer's thread.
  Writer(std::string file, Options options, const Clock& clock, telemetry::Log& log);
  ~Writer() { stop(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// For use before start.
  Database& database() { return database_; }
  void start(WriterPart& part);

  /// @param urgent  somebody waits: write at once; else within 20 ms. Ignored after stop.
  void submit(std::unique_ptr<Work> work, bool urgent);

  /// Writes what waits (one attempt), and joins the thread. Works that cannot be written are told so.
  void stop();

  Health health() const { return health_.get(); }

 private:
  using Works = std::deque<std::unique_ptr<Work>>;
  using Time = std::chrono::steady_clock::time_point;

  void run();
  void wait(std::unique_lock<std::mutex>& lock);
  Works take(bool everything);
  void write(Works works, bool tick);
  void settle(Works works, const Status& why);
  void report(const Status& status);
  void maintain();

  const Options options_;
  telemetry::Log& log_;
  HealthCell health_;
  Database database_;           // the writer's thread only, once started
  WriterPart* part_ = nullptr;  // set by start
  Time next_tick_;              // the writer's thread only
  Time next_upkeep_;            // the writer's thread only
  Time not_before_;             // the writer's thread only: after a failure

  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  Works waiting_;
  std::size_t waiting_bytes_ = 0;
  bool urgent_ = false;
  Time oldest_;  ///< when the first of waiting_ came
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace fermata::embedded
