// The control plane on real threads, for the thread sanitizer.
#include "base/worker_pool.hpp"
#include "fixture.hpp"

#include <atomic>
#include <future>
#include <latch>
#include <thread>

namespace fermata::control {
namespace {

class ThreadsTest : public ::testing::Test {
 protected:
  SystemClock clock_;
  telemetry::Log log_{{telemetry::Level::kError, false, "/dev/null"}};
  std::shared_ptr<testing::FakeStateTree> tree_ = std::make_shared<testing::FakeStateTree>();
  std::shared_ptr<testing::FakeWire> wire_ = std::make_shared<testing::FakeWire>();
  WorkerPool adapter_{"adapter", 1};  // outlived by nothing that posts to it
  testing::FakeStateStore store_{tree_, adapter_};
  testing::FakeFanout fanout_{wire_, adapter_};
  testing::FakeLeases leases_{adapter_};
  testing::FakeKeyValueStore kv_;
  testing::FakeDriver driver_;
  testing::FakeDriver other_driver_;
  WorkerPool executor_{"control", 1};
  ControlPlane plane_{{.node_id = "n1"}, {store_, fanout_, leases_, kv_, executor_, clock_, log_}};
};

TEST_F(ThreadsTest, ManyThreadsReadChangeAndWaitAtOnce) {
  ASSERT_TRUE(plane_.add_service(crr({{"a"}, {"b"}, {"c"}, {"d"}}), &driver_));
  plane_.start();
  constexpr int kChanges = 100;
  std::latch answered(2 * kChanges);
  std::atomic<int> failures = 0;
  const auto change = [&](Change::Kind kind, const char* location) {
    for (int i = 0; i < kChanges; ++i) {
      plane_.change({kind, "crr", location}, [&](const auto& result) {
        if (!result) ++failures;
        answered.count_down();
      });
    }
  };
  std::atomic<bool> ended = false;
  const auto read = [&] {
    while (!ended) {
      static_cast<void>(plane_.visit("crr", [](const LocationView&) {}));
      static_cast<void>(plane_.visit_desired("crr", [](auto, const auto&) {}));
      static_cast<void>(plane_.desired_revision("crr"));
      static_cast<void>(plane_.nodes());
      static_cast<void>(plane_.writable());
    }
  };
  const auto come_and_go = [&] {
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(plane_.add_service({"ingestion", "ingestion", "backbeat-ingestion", true, {{"rome"}}}, &other_driver_));
      other_driver_.observe_as("rome", ObservedState::kDegraded);
      plane_.set_failure("ingestion", "odd");
      plane_.remove_service("ingestion");
    }
  };
  std::vector<std::thread> changers;
  changers.emplace_back(change, Change::Kind::kPause, "all");
  changers.emplace_back(change, Change::Kind::kResume, "a");
  changers.emplace_back(come_and_go);
  std::vector<std::thread> readers;
  readers.emplace_back(read);
  readers.emplace_back(read);
  for (auto& thread : changers) thread.join();
  answered.wait();

  std::promise<bool> converged;
  plane_.wait_converged("crr", "all", 30s, [&](bool answer) { converged.set_value(answer); });
  EXPECT_TRUE(converged.get_future().get());
  ended = true;
  for (auto& thread : readers) thread.join();
  EXPECT_EQ(failures, 0);
  plane_.stop();
  executor_.stop();
  adapter_.stop();
}

}  // namespace
}  // namespace fermata::control
