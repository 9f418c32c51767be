// The process that embedded_crash.cpp kills: writes to every port of an embedded backend, round after round, and tells
// standard output (4 bytes each) the rounds whose records are acknowledged. Arguments: data_dir.

#include "adapters/embedded/embedded.hpp"
#include "base/clock.hpp"
#include "contract/eventually.hpp"
#include "telemetry/log.hpp"

#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace fermata;

constexpr std::size_t kBatch = 3;

bool write_state(StateStore& store, std::uint32_t round) {
  const auto kind = round == 1 ? StateWrite::Kind::kCreate : StateWrite::Kind::kPut;
  const std::string text = std::to_string(round);
  const std::vector<StateWrite> writes{{StateWrite::Kind::kEphemeral, "/e", text}, {kind, "/s/a", text}, {kind, "/s/b", text}};
  return store.write(writes).is_ok();
}

bool produce(Queue& queue, std::uint32_t round) {
  testing::Calls<Status> produced;
  std::vector<NewRecord> records(kBatch, {"t", "key", std::to_string(round)});
  const Status taken = queue.produce(std::move(records), [&](Status status) { produced.add(std::move(status)); });
  return taken && produced.reach(1) && produced.all().front();
}

bool consume(Consumer& consumer, KeyValueStore& kv, std::uint32_t round) {
  const auto taken = consumer.poll(kBatch, 1u << 20);
  if (!taken || taken->size() != kBatch || !kv.put("consumed", "last", std::to_string(round))) return false;
  const PartitionOffset done{taken->back().partition, taken->back().offset + 1};
  consumer.commit({&done, 1});
  return true;
}

}  // namespace

int main(int, char** arguments) {
  const SystemClock clock;
  telemetry::Log log({.level = telemetry::Level::kError});
  embedded::Backend::Options options;
  options.data_dir = arguments[1];
  options.node_id = "n1";
  options.partitions = 1;
  options.commit_interval = std::chrono::milliseconds(5);
  const auto backend = embedded::Backend::open(options, clock, log);
  if (!backend) return 1;
  const auto consumer = (*backend)->queue().consume("t", "g", {.on_ready = [] {}});
  if (!consumer) return 1;
  (*consumer)->set_gate(true);
  for (std::uint32_t round = 1;; ++round) {
    if (!write_state((*backend)->state(), round)) return 1;
    if (!(*backend)->kv().put("produced", std::to_string(round), "")) return 1;
    if (!produce((*backend)->queue(), round)) return 1;
    if (write(STDOUT_FILENO, &round, sizeof(round)) != sizeof(round)) return 1;
    if (!consume(**consumer, (*backend)->kv(), round)) return 1;
  }
}
