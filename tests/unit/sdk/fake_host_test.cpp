#include <fermata/sdk/host.hpp>
#include <fermata/testing/fake_host.hpp>

#include <gtest/gtest.h>

namespace fermata::sdk::testing {
namespace {

TEST(FakeHost, RunsTimersInOrderEachAtItsOwnTime) {
  FakeHost fake;
  Host host(fake.raw());
  std::vector<std::pair<int, int64_t>> runs;
  const auto begin = fake.clock().monotonic_ns();
  const auto note = [&](int number) { runs.emplace_back(number, (fake.clock().monotonic_ns() - begin) / 1'000'000); };
  host.post_after(std::chrono::milliseconds(20), [&] { note(2); });
  host.post_after(std::chrono::milliseconds(10), [&] {
    note(1);
    host.post_after(std::chrono::milliseconds(15), [&] { note(3); });
  });
  fake.advance(std::chrono::milliseconds(30));
  EXPECT_EQ(runs, (std::vector<std::pair<int, int64_t>>{{1, 10}, {2, 20}, {3, 25}}));
  EXPECT_EQ(fake.clock().monotonic_ns() - begin, 30'000'000);
  EXPECT_EQ(fake.pending_tasks(), 0u);
}

TEST(FakeHost, RefusesAndReportsRegistrationAfterInit) {
  FakeHost fake;
  Host host(fake.raw());
  fake.seal();
  EXPECT_EQ(host.register_processor({.name = "p", .topic = "t", .location = "l", .process = [](const Record&, Delivery) {}}).code(),
            Code::kFailedPrecondition);
  EXPECT_EQ(fake.violations(), std::vector<std::string>{"processor 'p' was registered after init"});
}

TEST(FakeHost, ReportsADeliveryThatIsCompletedTwice) {
  FakeHost fake;
  const auto* queue = static_cast<const fermata_queue_api*>(fake.raw()->get_interface(fake.raw()->handle, FERMATA_QUEUE_INTERFACE));
  fermata_processor processor{};
  processor.struct_size = sizeof(processor);
  processor.name = to_abi("p");
  processor.topic = to_abi("t");
  processor.location = to_abi("l");
  struct Twice {
    void* host;
    const fermata_queue_api* queue;
  } twice{fake.raw()->handle, queue};
  processor.ctx = &twice;
  processor.process = [](void* ctx, const fermata_record*, fermata_delivery* delivery) {
    const auto& self = *static_cast<Twice*>(ctx);
    for (int i = 0; i < 2; ++i) self.queue->complete(self.host, delivery, FERMATA_DONE, {});
  };
  ASSERT_EQ(queue->register_processor(fake.raw()->handle, &processor, nullptr), FERMATA_OK);
  fake.deliver("p", {});
  EXPECT_EQ(fake.violations(), std::vector<std::string>{"a delivery was completed twice"});
}

TEST(FakeHost, DoesNotPollAPopulatorWhoseLastPollIsUnfinished) {
  FakeHost fake;
  Host host(fake.raw());
  std::vector<Batch> open;
  ASSERT_TRUE(
      host.register_populator({.name = "j", .topic = "t", .poll = [&](std::string_view, Batch batch) { open.push_back(std::move(batch)); }})
          .is_ok());
  const auto first = fake.poll("j");
  EXPECT_EQ(fake.open_promises(), 1u);
  EXPECT_EQ(fake.poll("j"), nullptr);
  open.front().finish("next");
  EXPECT_TRUE(first->ended());
  EXPECT_NE(fake.poll("j"), nullptr);
}

TEST(FakeHost, KnowsNeitherProcessorsNorPopulatorsNorRoutesThatNobodyRegistered) {
  FakeHost fake;
  EXPECT_EQ(fake.deliver("p", {}), nullptr);
  EXPECT_EQ(fake.poll("j"), nullptr);
  EXPECT_EQ(fake.request("GET", "x"), nullptr);
}

TEST(FakeHost, StopsRunningTasksThatPostEachOtherWithoutEnd) {
  FakeHost fake;
  Host host(fake.raw());
  std::function<void()> again = [&] { host.post(again); };
  host.post(again);
  EXPECT_EQ(fake.run_ready(), FakeHost::kMaxTasks);
  EXPECT_EQ(fake.violations().size(), 1u);
  fake.drop_tasks();
}

TEST(ManualClock, AJumpOfTheWallClockLeavesTheMonotonicOneAlone) {
  ManualClock clock;
  const auto unix_before = clock.unix_ns();
  const auto monotonic_before = clock.monotonic_ns();
  clock.jump_wall(std::chrono::seconds(-9));
  EXPECT_EQ(clock.unix_ns() - unix_before, -9'000'000'000);
  EXPECT_EQ(clock.monotonic_ns(), monotonic_before);
}

}  // namespace
}  // namespace fermata::sdk::testing
