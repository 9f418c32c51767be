// What the embedded backend acknowledged survives kill -9, and nothing is there by halves.

#include "contract/embedded_directory.hpp"
#include "contract/eventually.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace fermata::testing {
namespace {

constexpr std::size_t kBatch = 3;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    int ends[2] = {-1, -1};
    if (pipe(ends) != 0) ADD_FAILURE() << "no pipe";
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close(read_end);
    close(write_end);
  }
};

std::string text(std::uint32_t round) { return std::to_string(round); }

/// Writes to every port, round after round, telling `out` the rounds whose records are acknowledged. Until killed.
[[noreturn]] void write_until_killed(EmbeddedDirectory& directory, int out) {
  auto& backend = directory.open();
  auto reader = *backend.queue().consume("t", "g", {.on_ready = [] {}});
  reader->set_gate(true);
  for (std::uint32_t round = 1;; ++round) {
    const std::vector<StateWrite> writes{{StateWrite::Kind::kEphemeral, "/e", text(round)},
                                         {round == 1 ? StateWrite::Kind::kCreate : StateWrite::Kind::kPut, "/s/a", text(round)},
                                         {round == 1 ? StateWrite::Kind::kCreate : StateWrite::Kind::kPut, "/s/b", text(round)}};
    if (!backend.state().write(writes) || !backend.kv().put("produced", text(round), text(round))) _exit(1);
    Calls<Status> produced;
    std::vector<NewRecord> records(kBatch, {"t", "key", text(round)});
    if (!backend.queue().produce(std::move(records), [&](Status status) { produced.add(std::move(status)); })) _exit(1);
    if (!produced.reach(1) || !produced.all().front()) _exit(1);
    if (write(out, &round, sizeof(round)) != sizeof(round)) _exit(1);
    const auto taken = reader->poll(kBatch, 1u << 20);
    if (!taken || taken->size() != kBatch || !backend.kv().put("consumed", "last", text(round))) _exit(1);
    const PartitionOffset done{taken->back().partition, taken->back().offset + 1};
    reader->commit({&done, 1});
  }
}

/// Runs the writer in a child until it has acknowledged `rounds`, and kills it. @return the last round acknowledged.
std::uint32_t run_and_kill(EmbeddedDirectory& directory, std::uint32_t rounds) {
  const Pipe acknowledged;
  const pid_t child = fork();
  if (child == 0) write_until_killed(directory, acknowledged.write_end);
  std::uint32_t last = 0;
  while (last < rounds && read(acknowledged.read_end, &last, sizeof(last)) == sizeof(last)) continue;
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer gave up with " << status;
  return last;
}

std::vector<QueueRecord> read_all(Queue& queue, const std::string& group) {
  auto consumer = *queue.consume("t", group, {.on_ready = [] {}});
  consumer->set_gate(true);
  return *consumer->poll(1'000'000, std::size_t{1} << 40);
}

class CrashAfter : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(CrashAfter, EveryAcknowledgedWriteIsThereAndNoneByHalves) {
  EmbeddedDirectory directory;
  directory.options().partitions = 1;
  directory.options().commit_interval = std::chrono::milliseconds(5);
  const std::uint32_t acknowledged = run_and_kill(directory, GetParam());
  ASSERT_GE(acknowledged, GetParam());
  auto& backend = directory.open();

  const auto a = *backend.state().get("/s/a");
  ASSERT_TRUE(a);
  EXPECT_GE(std::stoul(a->data), acknowledged);
  EXPECT_EQ(a->data, (*backend.state().get("/s/b"))->data);
  EXPECT_FALSE(backend.state().get("/e")->has_value());

  // Done records may be removed; all that is left is whole batches, without a gap, up to the last acknowledged at least.
  const auto records = read_all(backend.queue(), "another");
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records.size() % kBatch, 0u);
  EXPECT_GE(std::stoul(records.back().value), acknowledged);
  for (std::size_t i = 1; i < records.size(); ++i) EXPECT_EQ(records[i].offset, records[i - 1].offset + 1);
  for (const auto& record : records) {
    EXPECT_EQ(record.value, std::to_string(record.offset / static_cast<std::int64_t>(kBatch) + 1));
    EXPECT_TRUE(backend.kv().get("produced", record.value)->has_value()) << "older than record " << record.value;
  }

  // The key-value entry is older than the commit, so it is never behind.
  const auto uncommitted = read_all(backend.queue(), "g");
  const std::int64_t committed = uncommitted.empty() ? records.back().offset + 1 : uncommitted.front().offset;
  const auto consumed = *backend.kv().get("consumed", "last");
  EXPECT_GE(consumed ? std::stol(*consumed) : 0, committed / static_cast<std::int64_t>(kBatch));
}

INSTANTIATE_TEST_SUITE_P(Rounds, CrashAfter, ::testing::Values(1u, 17u, 60u, 200u, 500u));

}  // namespace
}  // namespace fermata::testing
