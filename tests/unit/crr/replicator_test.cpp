#include "replicator.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr::testing {
namespace {

using ::testing::HasSubstr;

class FakeReader final : public ObjectReader {
 public:
  const ObjectMeta& meta() const override { return meta_; }
  Result<std::size_t> read(std::span<char>) override { return std::size_t{0}; }
  Status check_unchanged() override { return Status::ok(); }

 private:
  const ObjectMeta meta_{};
};

class FakeSource final : public ObjectSource {
 public:
  Result<std::unique_ptr<ObjectReader>> open(const ObjectId&) override {
    return std::unique_ptr<ObjectReader>(std::make_unique<FakeReader>());
  }
};

/// Answers as it is told.
struct Answers {
  Status put = Status::ok();
  Status check = Status::ok();
};
class FakeStore final : public ObjectStore {
 public:
  explicit FakeStore(const Answers& answers) : answers_(answers) {}
  Result<Stored> put(const ObjectId&, ObjectReader&) override {
    if (!answers_.put) return answers_.put;
    return Stored{1, "etag"};
  }
  Status remove(const ObjectId&, const std::function<Status()>& still_gone) override { return still_gone(); }
  Result<bool> has(const ObjectId&, const ObjectMeta&) override { return false; }
  Status check() override { return answers_.check; }
  Status clean() override { return Status::ok(); }

 private:
  const Answers& answers_;
};

class ReplicatorTest : public ::testing::Test {
 protected:
  Code replicate(bool last = false) {
    const ReplicationRecord record{ReplicationRecord::Type::kPut, id_, 1, 1, 0, {"paris"}};
    return replicator_.replicate(record, {10, last, 0}).code();
  }
  ObjectState::Status state() const { return ObjectStates(host_).get(id_, "paris")->value().status; }

  const ObjectId id_{"b", "k"};
  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  Answers answers_;
  Replicator replicator_{host_, "paris", std::make_shared<FakeSource>(), std::make_unique<FakeStore>(answers_)};
};

TEST_F(ReplicatorTest, AnObjectInMotionIsRetriedAndFailedAtTheLastAttempt) {
  answers_.put = {Code::kAborted, "it changed while it was copied"};
  EXPECT_EQ(replicate(), Code::kAborted);
  EXPECT_EQ(state(), ObjectState::Status::kPending);
  EXPECT_EQ(replicate(true), Code::kAborted);
  EXPECT_EQ(state(), ObjectState::Status::kFailed);
  EXPECT_EQ(replicator_.degraded(), "") << "the place is well";
}

TEST_F(ReplicatorTest, AFullDiskIsWaitedForAlsoAtTheLastAttemptAndShown) {
  answers_.put = {Code::kUnavailable, "writing: No space left on device"};
  EXPECT_EQ(replicate(true), Code::kUnavailable);
  EXPECT_EQ(state(), ObjectState::Status::kPending);
  replicator_.probe();
  EXPECT_THAT(replicator_.degraded(), HasSubstr("No space left")) << "though the root is there";
  answers_.put = Status::ok();
  EXPECT_EQ(replicate(true), Code::kOk);
  EXPECT_EQ(state(), ObjectState::Status::kCompleted);
  EXPECT_EQ(replicator_.degraded(), "");
}

TEST_F(ReplicatorTest, AFailureOfAnyKindIsWaitedForWhileTheTargetIsDown) {
  answers_.put = {Code::kPermissionDenied, "making directory b: Permission denied"};
  answers_.check = {Code::kUnavailable, "target root cannot be written to"};
  EXPECT_EQ(replicate(true), Code::kUnavailable);
  EXPECT_EQ(state(), ObjectState::Status::kPending);
  answers_.check = Status::ok();
  EXPECT_EQ(replicate(), Code::kPermissionDenied);
  EXPECT_EQ(state(), ObjectState::Status::kFailed);
}

}  // namespace
}  // namespace fermata::crr::testing
