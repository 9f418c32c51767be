// What the embedded backend acknowledged survives kill -9, and nothing is there by halves.

#include "contract/embedded_directory.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace fermata::testing {
namespace {

constexpr std::size_t kBatch = 3;

/// Runs crash_writer until it has acknowledged `rounds`, and kills it. @return the last round read.
std::uint32_t run_and_kill(const std::string& data_dir, std::uint32_t rounds) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl(FERMATA_CRASH_WRITER, "crash_writer", data_dir.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::uint32_t last = 0;
  while (last < rounds && read(ends[0], &last, sizeof(last)) == sizeof(last)) continue;
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  close(ends[0]);
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
  const std::uint32_t acknowledged = run_and_kill(directory.data_dir(), GetParam());
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
