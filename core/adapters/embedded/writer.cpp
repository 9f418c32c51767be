#include "adapters/embedded/writer.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <utility>

namespace fermata::embedded {

namespace {

using namespace std::chrono_literals;

constexpr auto kLazyDelay = 20ms;
constexpr auto kUpkeepInterval = 1s;
constexpr std::size_t kLazyBytes = 1u << 20;         // so much does not wait for kLazyDelay
constexpr std::size_t kTransactionBytes = 8u << 20;  // bounds the time until the first of a crowd is acknowledged

constexpr std::array kSchema{
    "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, heads TEXT NOT NULL);"
    "CREATE TABLE blocks(id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL,"
    "  count INTEGER NOT NULL, last_ms INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE UNIQUE INDEX blocks_by_offset ON blocks(topic, partition, first);"
    "CREATE TABLE groups(topic INTEGER NOT NULL, name TEXT NOT NULL, offsets TEXT NOT NULL, PRIMARY KEY(topic, name)) WITHOUT ROWID;"
    "CREATE TABLE kv(space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY(space, key)) WITHOUT ROWID;"
    "CREATE TABLE probes(id INTEGER PRIMARY KEY CHECK(id = 1), count INTEGER NOT NULL);"
    "INSERT INTO probes VALUES(1, 0);",
    // When the group last had a consumer; 0: not known.
    "ALTER TABLE groups ADD COLUMN active_ms INTEGER NOT NULL DEFAULT 0;",
};

}  // namespace

Writer::Writer(std::string file, Options options, const Clock& clock, telemetry::Log& log)
    : options_(options), log_(log), health_(clock), database_(std::move(file)) {
  database_.migrate(kSchema);
}

void Writer::start(WriterPart& part) {
  part_ = &part;
  next_tick_ = std::chrono::steady_clock::now() + options_.tick;
  next_upkeep_ = std::chrono::steady_clock::now() + kUpkeepInterval;
  thread_ = std::thread([this] { run(); });
}

void Writer::submit(std::unique_ptr<Work> work, bool urgent) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) oldest_ = std::chrono::steady_clock::now();
    wake = waiting_.empty() || (urgent && !urgent_) || waiting_bytes_ >= kLazyBytes;
    waiting_bytes_ += work->bytes();
    waiting_.push_back(std::move(work));
    urgent_ = urgent_ || urgent;
  }
  if (wake) wake_.notify_one();
}

void Writer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Writer::run() {
  pthread_setname_np(pthread_self(), "queue-writer");
  bool last = false;
  while (!last) {
    {
      std::unique_lock lock(mutex_);
      wait(lock);
      last = stopping_;
    }
    const bool tick = last || std::chrono::steady_clock::now() >= next_tick_;
    if (tick) part_->begin_tick();
    write(take(tick), tick);
    if (!last) maintain();
    if (tick) next_tick_ = std::chrono::steady_clock::now() + options_.tick;
  }
  settle(take(true), {Code::kUnavailable, "the queue is closed"});
}

void Writer::wait(std::unique_lock<std::mutex>& lock) {
  while (!stopping_) {
    const Time now = std::chrono::steady_clock::now();
    Time due = std::min(next_tick_, next_upkeep_);
    if (!waiting_.empty()) due = std::min(due, urgent_ || waiting_bytes_ >= kLazyBytes ? now : oldest_ + kLazyDelay);
    due = std::max(due, not_before_);
    if (due <= now) return;
    wake_.wait_until(lock, due);
  }
}

Writer::Works Writer::take(bool everything) {
  const std::lock_guard lock(mutex_);
  Works taken;
  std::size_t bytes = 0;
  while (!waiting_.empty() && (everything || bytes < kTransactionBytes)) {
    bytes += waiting_.front()->bytes();
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  waiting_bytes_ -= bytes;
  if (waiting_.empty()) urgent_ = false;
  return taken;
}

void Writer::write(Works works, bool tick) {
  const bool probe = !health_.get().ok;
  if (works.empty() && !(tick && part_->tick_pending()) && !probe) return;
  try {
    Transaction transaction(database_);
    for (auto& work : works) work->apply(database_);
    part_->finish(database_);
    if (tick) part_->write_tick(database_);
    if (probe) database_.run("UPDATE probes SET count = count + 1");
    transaction.commit();
  } catch (const SqlError& error) {
    part_->rolled_back();
    report(error.status());  // first, so that whoever is answered sees it in health
    settle(std::move(works), error.status());
    return;
  }
  report(Status::ok());
  part_->committed();
  for (auto& work : works) work->committed();
}

// Puts those that stay back to the front, in order.
void Writer::settle(Works works, const Status& why) {
  std::erase_if(works, [&](const auto& work) { return !work->failed(why); });
  if (works.empty()) return;
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    log_.error("queue", "writes are lost, as the daemon stops while its disk refuses them",
               {{"file", database_.file()}, {"count", std::to_string(works.size())}, {"reason", why.message()}});
    return;
  }
  for (auto work = works.rbegin(); work != works.rend(); ++work) {
    waiting_bytes_ += (*work)->bytes();
    waiting_.push_front(std::move(*work));
  }
}

void Writer::report(const Status& status) {
  not_before_ = status ? Time() : std::chrono::steady_clock::now() + options_.retry;
  if (!health_.set(status)) return;
  if (status)
    log_.info("queue", "writing works again", {{"file", database_.file()}});
  else
    log_.error("queue", "cannot write, will try again", {{"file", database_.file()}, {"reason", status.message()}});
}

void Writer::maintain() {
  if (std::chrono::steady_clock::now() < next_upkeep_) return;
  bool more = false;
  try {
    if (health_.get().ok) more = part_->maintain(database_);
  } catch (const SqlError& error) {
    report(error.status());
  }
  next_upkeep_ = std::chrono::steady_clock::now() + (more ? 0s : kUpkeepInterval);
}

}  // namespace fermata::embedded
