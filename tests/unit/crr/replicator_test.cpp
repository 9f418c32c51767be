#include "replication/replicator.hpp"

#include "model_store.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::crr::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A target that answers as it is told.
struct Answers {
  Status put = Status::ok();
  Status check = Status::ok();
};
class FakeStore final : public ObjectStore {
 public:
  FakeStore(const Answers& answers, Model& model) : answers_(answers), real_(model) {}
  Result<Stored> put(const ObjectId& id, ObjectReader& source) override {
    if (!answers_.put) return answers_.put;
    return real_.put(id, source);
  }
  Result<std::string> remove(const ObjectId& id, const std::function<Status()>& still_gone) override {
    return real_.remove(id, still_gone);
  }
  Result<bool> has(const ObjectId&, const ObjectMeta&) override { return false; }
  Result<TargetObject> latest(const ObjectId& id) override { return real_.latest(id); }
  Result<std::vector<TargetObject>> history(const ObjectId& id) override { return real_.history(id); }
  Status remove_version(const ObjectId& id, const std::string& source, const std::string& target) override {
    return real_.remove_version(id, source, target);
  }
  Status put_tags(const ObjectId& id, const std::string& source, const Tags& tags) override { return real_.put_tags(id, source, tags); }
  Status check() override { return answers_.check; }
  Status clean() override { return Status::ok(); }

 private:
  const Answers& answers_;
  ModelStore real_;
};

class ReplicatorTest : public ::testing::Test {
 protected:
  ReplicatorTest() { version_ = source_.add(id_.path(), "one"); }

  Code replicate(bool last = false, const std::string& failed_id = "id") {
    ReplicationRecord record{ReplicationRecord::Type::kPut, id_, 1, 1, 0, {"paris"}};
    record.version_id = version_;
    return replicator_.replicate(record, {10, last, 0, true, failed_id}).code();
  }
  ObjectState stored() const { return ObjectStates(host_).get(id_, "paris")->value(); }
  ObjectState::Status state() const { return stored().status; }
  double counted(const std::string& result) const { return fake_.metric("crr_objects_total", {{"location", "paris"}, {"result", result}}); }

  const ObjectId id_{"b", "k"};
  sdk::testing::FakeHost fake_;
  sdk::Host host_{fake_.raw()};
  Rules rules_{{}, {"paris"}};
  Model source_;
  Model target_;
  std::string version_;
  Answers answers_;
  Replicator replicator_{host_, "paris", rules_, std::make_shared<ModelSource>(source_), std::make_unique<FakeStore>(answers_, target_),
                         {}};
};

TEST_F(ReplicatorTest, AnObjectInMotionIsRetriedAndFailedAtTheLastAttempt) {
  answers_.put = {Code::kAborted, "it changed while it was copied"};
  EXPECT_EQ(replicate(), Code::kAborted);
  EXPECT_EQ(state(), ObjectState::Status::kPending);
  EXPECT_EQ(replicate(true), Code::kAborted);
  EXPECT_EQ(state(), ObjectState::Status::kFailed);
  EXPECT_EQ(counted("retried"), 1);
  EXPECT_EQ(counted("failed"), 1);
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

TEST_F(ReplicatorTest, ATargetThatFailsTooOftenIsLeftAloneUntilAProbeFindsItWell) {
  answers_.put = answers_.check = {Code::kUnavailable, "no route to host"};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(replicate(), Code::kUnavailable);
  EXPECT_EQ(replicator_.degraded(), "target-unreachable: no route to host");
  const int gets = source_.gets;
  EXPECT_EQ(replicate(), Code::kUnavailable);
  EXPECT_EQ(source_.gets, gets) << "nothing is tried";
  replicator_.probe();
  EXPECT_FALSE(replicator_.degraded().empty());
  EXPECT_TRUE(fake_.hurried().empty());
  answers_ = {};
  while (!replicator_.degraded().empty()) replicator_.probe();  // the next look is due within a second
  EXPECT_EQ(fake_.hurried(), std::vector<std::string>{"paris"});
  EXPECT_EQ(replicate(), Code::kOk);
}

TEST_F(ReplicatorTest, ATargetThatSlowsUsDownIsWaitedFor) {
  answers_.put = {Code::kResourceExhausted, "SlowDown"};
  EXPECT_EQ(replicate(true), Code::kUnavailable);
  EXPECT_EQ(state(), ObjectState::Status::kPending);
}

TEST_F(ReplicatorTest, WhatFailedIsSettledWhenItIsFoundAtTheTarget) {
  answers_.put = {Code::kInvalidArgument, "never"};
  EXPECT_EQ(replicate(true, "failed-1"), Code::kInvalidArgument);
  fake_.give_up("paris", {.id = "failed-1"});
  target_.objects[id_.path()].push_back({"t1", false, "one", {}, version_, true});
  EXPECT_EQ(replicate(), Code::kOk);
  EXPECT_EQ(state(), ObjectState::Status::kCompleted);
  EXPECT_TRUE(fake_.failed_ids("paris").empty());
}

TEST_F(ReplicatorTest, OneFailedRecordStandsForAnObject) {
  answers_.put = {Code::kInvalidArgument, "never"};
  EXPECT_EQ(replicate(true, "failed-1"), Code::kInvalidArgument);
  fake_.give_up("paris", {.id = "failed-1"});
  EXPECT_EQ(replicate(true, "failed-1"), Code::kInvalidArgument);
  EXPECT_THAT(fake_.failed_ids("paris"), ElementsAre("failed-1"));
  version_ = source_.add(id_.path(), "two");
  EXPECT_EQ(replicate(true, "failed-2"), Code::kInvalidArgument);
  fake_.give_up("paris", {.id = "failed-2"});
  EXPECT_THAT(fake_.failed_ids("paris"), ElementsAre("failed-2"));
  EXPECT_EQ(stored().failed_version, version_);
}

TEST_F(ReplicatorTest, ALaterVersionSupersedesOneThatWasGivenUp) {
  answers_.put = {Code::kInvalidArgument, "never"};
  EXPECT_EQ(replicate(true, "failed-1"), Code::kInvalidArgument);
  fake_.give_up("paris", {.id = "failed-1"});
  EXPECT_EQ(stored().failed_id, "failed-1");
  answers_ = {};
  version_ = source_.add(id_.path(), "two");
  EXPECT_EQ(replicate(), Code::kOk);
  EXPECT_EQ(state(), ObjectState::Status::kCompleted);
  EXPECT_TRUE(fake_.failed_ids("paris").empty());
  EXPECT_EQ(target_.history(id_.path()), "two");
}

}  // namespace
}  // namespace fermata::crr::testing
