// The doubles that other tests use must do what the ports promise.

#include "base/worker_pool.hpp"
#include "contract/contract.hpp"
#include "contract/eventually.hpp"
#include "support/fake_queue.hpp"
#include "support/fakes.hpp"

#include <memory>
#include <utility>

namespace fermata::testing {
namespace {

class FakeStateStoreProvider final : public Provider<StateStore> {
 public:
  StateStore& port() override { return *store_; }
  void restart() override {
    store_.reset();
    store_ = std::make_unique<FakeStateStore>(tree_, executor_);
  }

 private:
  std::shared_ptr<FakeStateTree> tree_ = std::make_shared<FakeStateTree>();
  WorkerPool executor_{"fake", 1};
  std::unique_ptr<FakeStateStore> store_ = std::make_unique<FakeStateStore>(tree_, executor_);
};

class FakeFanoutProvider final : public Provider<Fanout> {
 public:
  Fanout& port() override { return *fanout_; }
  void restart() override {
    fanout_.reset();
    fanout_ = std::make_unique<FakeFanout>(wire_, executor_);
  }

 private:
  std::shared_ptr<FakeWire> wire_ = std::make_shared<FakeWire>();
  WorkerPool executor_{"fake", 1};
  std::unique_ptr<FakeFanout> fanout_ = std::make_unique<FakeFanout>(wire_, executor_);
};

// The next doubles outlive their users, so that a restart changes nothing.

class FakeLeasesProvider final : public Provider<Leases> {
 public:
  Leases& port() override { return leases_; }
  void restart() override {}

 private:
  WorkerPool executor_{"fake", 1};
  FakeLeases leases_{executor_};
};

class FakeQueueProvider final : public Provider<Queue> {
 public:
  /// What the queue has still to do refers to the queue: it must be done before the executor goes.
  ~FakeQueueProvider() override {
    Calls<Status> done;
    if (queue_.produce({}, [&](Status status) { done.add(std::move(status)); })) done.reach(1);
  }
  Queue& port() override { return queue_; }
  void restart() override {}

 private:
  WorkerPool executor_{"fake", 1};
  FakeQueue queue_{executor_};
};

class FakeKeyValueStoreProvider final : public Provider<KeyValueStore> {
 public:
  KeyValueStore& port() override { return store_; }
  void restart() override {}

 private:
  FakeKeyValueStore store_;
};

template <typename Port, typename Made>
Implementation<Port> fake() {
  return {.name = "fake", .make = [] { return std::make_unique<Made>(); }};
}

INSTANTIATE_TEST_SUITE_P(Fake, StateStoreContract, ::testing::Values(fake<StateStore, FakeStateStoreProvider>()));
INSTANTIATE_TEST_SUITE_P(Fake, FanoutContract, ::testing::Values(fake<Fanout, FakeFanoutProvider>()));
INSTANTIATE_TEST_SUITE_P(Fake, LeasesContract, ::testing::Values(fake<Leases, FakeLeasesProvider>()));
INSTANTIATE_TEST_SUITE_P(Fake, QueueContract, ::testing::Values(fake<Queue, FakeQueueProvider>()));
INSTANTIATE_TEST_SUITE_P(Fake, KeyValueStoreContract, ::testing::Values(fake<KeyValueStore, FakeKeyValueStoreProvider>()));

}  // namespace
}  // namespace fermata::testing
