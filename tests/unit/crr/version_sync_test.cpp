#include "replication/version_sync.hpp"

#include "model_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace fermata::crr::testing {
namespace {

using Type = ReplicationRecord::Type;

class VersionSyncTest : public ::testing::Test {
 protected:
  /// One delivery of a record, with what became of the state as the replicator keeps it.
  Result<Done> apply(Type type, const std::string& version_id, bool in_doubt = false, bool last = false) {
    ReplicationRecord record;
    record.type = type;
    record.id = id_;
    record.version_id = version_id;
    auto done = sync_.apply(record, {known_, in_doubt, last}, state_);
    known_ = known_ || !done || *done != Done::kSuperseded;
    return done;
  }
  std::string put(const std::string& content) { return source_.add(id_.path(), content); }
  std::string target() { return target_.history(id_.path()); }

  const ObjectId id_{"b", "k"};
  const std::string location_ = "paris";
  Rules rules_{{}, {"paris"}};
  Model source_;
  Model target_;
  ModelSource objects_{source_};
  ModelStore store_{target_};
  bool history_copied_ = true;
  std::vector<std::string> left_out_;
  VersionSync sync_{
      objects_,
      store_,
      rules_,
      location_,
      {[this] { return history_copied_; }, [this](const auto&, const auto& version_id, const auto&) { left_out_.push_back(version_id); }}};
  bool known_ = false;
  ObjectState state_;
};

TEST_F(VersionSyncTest, ANewObjectCostsOneGetAndOnePut) {
  EXPECT_EQ(*apply(Type::kPut, put("one")), Done::kCopied);
  EXPECT_EQ(target(), "one");
  EXPECT_EQ(source_.gets, 1);
  EXPECT_EQ(source_.listings + target_.listings + target_.heads, 0);
}

TEST_F(VersionSyncTest, AVersionThatWasListedAloneIsLookedForAtTheTargetOnly) {
  ReplicationRecord record;
  record.type = Type::kSync;
  record.id = id_;
  record.version_id = put("one");
  record.alone = true;
  EXPECT_EQ(*sync_.apply(record, {}, state_), Done::kCopied);
  EXPECT_EQ(target(), "one");
  EXPECT_EQ(source_.gets, 1);
  EXPECT_EQ(source_.listings + target_.listings, 0);
  ObjectState lost;
  EXPECT_EQ(*sync_.apply(record, {}, lost), Done::kUpToDate);
  EXPECT_EQ(source_.gets, 1);
  put("two");
  ASSERT_TRUE(apply(Type::kSync, put("three")));
  ObjectState lost_again;
  EXPECT_EQ(*sync_.apply(record, {}, lost_again), Done::kUpToDate);
  EXPECT_EQ(target(), "one, two, three") << "a target does not go back";
  ObjectState unknown;
  EXPECT_EQ(*sync_.apply(record, {.in_doubt = true}, unknown), Done::kUpToDate);
  EXPECT_EQ(target(), "one, two, three") << "what was done before its state was lost is not done again";
  target_.objects.clear();
  const auto listings = source_.listings;
  ObjectState nothing;
  EXPECT_EQ(*sync_.apply(record, {.in_doubt = true}, nothing), Done::kCopied);
  EXPECT_EQ(source_.listings, listings) << "where there is nothing nothing can go back";
}

TEST_F(VersionSyncTest, VersionsWhoseRecordsComeInTheWrongOrderStandInTheSourcesOrder) {
  const auto first = put("one");
  ASSERT_TRUE(apply(Type::kPut, first));
  const auto second = put("two");
  const auto third = put("three");
  EXPECT_EQ(*apply(Type::kPut, third), Done::kCopied);
  EXPECT_EQ(*apply(Type::kPut, second), Done::kUpToDate);
  EXPECT_EQ(*apply(Type::kPut, first), Done::kUpToDate);
  EXPECT_EQ(target(), "one, two, three");
}

TEST_F(VersionSyncTest, AWriteThatNobodyWasToldOfIsNotRepeated) {
  store_.after = [](const std::string&) { return Status(Code::kUnavailable, "cut off"); };
  const auto first = put("one");
  EXPECT_FALSE(apply(Type::kPut, first));
  store_.after = [](const std::string&) { return Status::ok(); };
  EXPECT_EQ(*apply(Type::kPut, first, true), Done::kUpToDate);
  EXPECT_EQ(target(), "one");
}

TEST_F(VersionSyncTest, DeleteMarkersAreMadeOnceAndTakenAwayAgain) {
  ASSERT_TRUE(apply(Type::kPut, put("one")));
  const auto marker = source_.mark(id_.path());
  EXPECT_EQ(*apply(Type::kDelete, marker), Done::kRemoved);
  EXPECT_EQ(*apply(Type::kDelete, marker, true), Done::kUpToDate);
  EXPECT_EQ(target(), "one, -");
  source_.erase(id_.path(), marker);
  EXPECT_EQ(*apply(Type::kDeleteVersion, marker), Done::kRemoved);
  EXPECT_EQ(target(), "one");
  ASSERT_TRUE(apply(Type::kPut, put("two")));
  EXPECT_EQ(target(), "one, two");
}

TEST_F(VersionSyncTest, AMarkerWhoseRemovalIsToldAsIfItWereMadeIsRemoved) {
  ASSERT_TRUE(apply(Type::kPut, put("one")));
  const auto marker = source_.mark(id_.path());
  ASSERT_TRUE(apply(Type::kDelete, marker));
  ASSERT_TRUE(apply(Type::kPut, put("two")));
  EXPECT_EQ(*apply(Type::kDelete, marker), Done::kUpToDate) << "it is still there";
  EXPECT_EQ(target(), "one, -, two");
  source_.erase(id_.path(), marker);
  EXPECT_EQ(*apply(Type::kDelete, marker), Done::kRemoved);
  EXPECT_EQ(target(), "one, two");
}

TEST_F(VersionSyncTest, AMarkerThatNobodyWasToldOfIsFoundInTheTargetsHistory) {
  ASSERT_TRUE(apply(Type::kPut, put("one")));
  store_.after = [](const std::string&) { return Status(Code::kUnavailable, "cut off"); };
  const auto marker = source_.mark(id_.path());
  EXPECT_FALSE(apply(Type::kDelete, marker));
  store_.after = [](const std::string&) { return Status::ok(); };
  put("two");
  ASSERT_TRUE(apply(Type::kDelete, marker, true));
  EXPECT_EQ(target(), "one, -, two");
}

TEST_F(VersionSyncTest, ARemovedVersionIsRemovedAndTheOthersStay) {
  const auto first = put("one");
  const auto second = put("two");
  ASSERT_TRUE(apply(Type::kSync, second));
  source_.erase(id_.path(), first);
  EXPECT_EQ(*apply(Type::kDeleteVersion, first), Done::kRemoved);
  EXPECT_EQ(target(), "two");
  source_.erase(id_.path(), second);
  EXPECT_EQ(*apply(Type::kDeleteVersion, second), Done::kRemoved);
  EXPECT_EQ(target(), "");
  EXPECT_EQ(*apply(Type::kPut, second), Done::kUpToDate) << "a late event of what is gone";
}

TEST_F(VersionSyncTest, AScanCopiesAllOfAnObjectsHistoryAndTheJournalNothingTwice) {
  put("one");
  source_.mark(id_.path());
  const auto third = put("three");
  EXPECT_EQ(*apply(Type::kSync, third), Done::kCopied);
  EXPECT_EQ(target(), "one, -, three");
  EXPECT_EQ(*apply(Type::kPut, third), Done::kUpToDate);
}

TEST_F(VersionSyncTest, TheFirstEventOfAnOldObjectBringsItsHistoryWhileAScanIsNotOver) {
  history_copied_ = false;
  put("one");
  ASSERT_TRUE(apply(Type::kPut, put("two")));
  EXPECT_EQ(target(), "one, two");
}

TEST_F(VersionSyncTest, AReplicaIsNotSentBackAndNeitherIsItsDeletion) {
  const auto replica = put("from the other side");
  source_.objects[id_.path()].back().replica = true;
  target_.add(id_.path(), "from the other side");  // the original
  EXPECT_EQ(*apply(Type::kPut, replica), Done::kSkipped);
  EXPECT_EQ(state_.reason, "it is a replica itself");
  target_.mark(id_.path());
  ASSERT_TRUE(apply(Type::kDelete, source_.mark(id_.path())));
  EXPECT_EQ(target(), "from the other side, -");
}

TEST_F(VersionSyncTest, WhatNoRuleWantsIsSkippedUntilItsTagsAreOthers) {
  const Rules gold({{.tags = {{"class", "gold"}}}}, {"paris"});
  VersionSync sync(objects_, store_, gold, location_, {});
  ReplicationRecord record;
  record.id = id_;
  record.version_id = put("one");
  EXPECT_EQ(*sync.apply(record, {false, false}, state_), Done::kSkipped);
  source_.objects[id_.path()].back().tags = {{"class", "gold"}};
  record.type = Type::kTags;
  EXPECT_EQ(*sync.apply(record, {true, false}, state_), Done::kCopied);
  EXPECT_EQ(target(), "one");
  source_.objects[id_.path()].back().tags = {{"class", "gold"}, {"owner", "me"}};
  EXPECT_EQ(*sync.apply(record, {true, false}, state_), Done::kCopied);
  EXPECT_EQ(target_.objects[id_.path()].back().tags.size(), 2u);
  EXPECT_EQ(target(), "one");
}

TEST_F(VersionSyncTest, AVersionThatWasGivenUpDoesNotHoldBackLaterOnes) {
  ASSERT_TRUE(apply(Type::kPut, put("one")));
  store_.before = [](const std::string& content) { return content == "bad" ? Status(Code::kInvalidArgument, "never") : Status::ok(); };
  const auto bad = put("bad");
  EXPECT_FALSE(apply(Type::kPut, bad));
  state_.failed_version = bad;
  EXPECT_EQ(*apply(Type::kPut, put("three")), Done::kCopied);
  EXPECT_EQ(target(), "one, three");
}

TEST_F(VersionSyncTest, AnOldVersionThatCannotBeCopiedIsLeftOutOnceThereIsNoOtherTry) {
  Status why(Code::kAborted, "damaged");
  store_.before = [&why](const std::string& content) { return content == "bad" ? why : Status::ok(); };
  put("one");
  const auto bad = put("bad");
  const auto newest = put("three");
  EXPECT_FALSE(apply(Type::kSync, newest));
  EXPECT_EQ(target(), "one");
  EXPECT_EQ(*apply(Type::kSync, newest, true, true), Done::kCopied);
  EXPECT_EQ(target(), "one, three");
  EXPECT_EQ(left_out_, std::vector{bad});
  EXPECT_THAT(state_.left_out, ::testing::ElementsAre(::testing::Pair(bad, "damaged")));
  why = {Code::kInvalidArgument, "never"};
  put("bad");
  EXPECT_EQ(*apply(Type::kSync, put("five")), Done::kCopied) << "no other try would help";
  EXPECT_EQ(target(), "one, three, five");
  why = {Code::kUnavailable, "down"};
  put("bad");
  EXPECT_FALSE(apply(Type::kSync, put("seven"), false, true)) << "it will pass";
  EXPECT_EQ(left_out_.size(), 2u);
}

TEST_F(VersionSyncTest, AVersionThatWasGivenUpAndPassedByIsSaidOnceAndTakenBackWhenItComes) {
  bool works = false;
  store_.before = [&works](const std::string& content) {
    return content == "bad" && !works ? Status(Code::kInvalidArgument, "never") : Status::ok();
  };
  const auto bad = put("bad");
  EXPECT_FALSE(apply(Type::kSync, bad));
  state_.failed_version = bad;
  ASSERT_TRUE(apply(Type::kSync, put("two")));
  EXPECT_EQ(target(), "two");
  EXPECT_EQ(left_out_, std::vector{bad});
  EXPECT_EQ(state_.left_out.size(), 1u);
  works = true;
  state_.version_id.clear();
  target_.objects.clear();
  ASSERT_TRUE(apply(Type::kSync, bad));
  EXPECT_EQ(target(), "bad, two");
  EXPECT_TRUE(state_.left_out.empty());
}

TEST_F(VersionSyncTest, ASyncLooksAgainAtWhatItsTagsKeptBack) {
  const Rules gold({{.tags = {{"class", "gold"}}}}, {"paris"});
  VersionSync sync(objects_, store_, gold, location_, {});
  ReplicationRecord record;
  record.type = Type::kSync;
  record.id = id_;
  record.version_id = put("one");
  EXPECT_EQ(*sync.apply(record, {}, state_), Done::kSkipped);
  state_.status = ObjectState::Status::kSkipped;
  EXPECT_EQ(*sync.apply(record, {.known = true}, state_), Done::kSkipped) << "nothing has changed";
  source_.objects[id_.path()].back().tags = {{"class", "gold"}};
  EXPECT_EQ(*sync.apply(record, {.known = true}, state_), Done::kCopied);
  EXPECT_EQ(target(), "one");
}

TEST_F(VersionSyncTest, TheNewestVersionThatCannotBeCopiedFails) {
  store_.before = [](const std::string& content) { return content == "bad" ? Status(Code::kInvalidArgument, "never") : Status::ok(); };
  put("one");
  EXPECT_EQ(apply(Type::kSync, put("bad"), false, true).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(target(), "one");
  EXPECT_TRUE(left_out_.empty());
}

TEST_F(VersionSyncTest, WhatWasCopiedBeforeAVersionWentIsKept) {
  const auto first = put("one");
  const auto second = put("two");
  store_.after = [this, &second](const std::string& content) {
    if (content == "one") source_.erase(id_.path(), second);
    return Status::ok();
  };
  EXPECT_EQ(*apply(Type::kSync, second), Done::kCopied);
  EXPECT_EQ(state_.version_id, first);
}

TEST_F(VersionSyncTest, DeletionsStayHereIfTheRulesSaySo) {
  const Rules keep({{.delete_markers = false, .version_deletes = false}}, {"paris"});
  VersionSync sync(objects_, store_, keep, location_, {});
  ReplicationRecord record;
  record.id = id_;
  record.version_id = put("one");
  ASSERT_TRUE(sync.apply(record, {false, false}, state_));
  record.type = Type::kDeleteVersion;
  EXPECT_EQ(*sync.apply(record, {true, false}, state_), Done::kSkipped);
  record.type = Type::kDelete;
  record.version_id = source_.mark(id_.path());
  EXPECT_EQ(*sync.apply(record, {true, false}, state_), Done::kSkipped);
  record.type = Type::kPut;
  record.version_id = put("two");
  ASSERT_TRUE(sync.apply(record, {true, false}, state_));
  EXPECT_EQ(target(), "one, two");
}

/// Whatever is repeated, late, lost, cut off or forgotten on the way: at the end the histories are equal, and on the way the
/// target's was always a beginning of the source's.
TEST_F(VersionSyncTest, EndsWithTheSourcesHistoryWhateverHappensOnTheWay) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto chance = [&random](unsigned percent) { return random() % 100 < percent; };
    source_ = {};
    target_ = {};
    state_ = {};
    known_ = false;
    const auto flaky = [&](const std::string&) { return chance(15) ? Status(Code::kUnavailable, "cut") : Status::ok(); };
    store_.before = flaky;
    store_.after = flaky;
    std::vector<std::pair<Type, std::string>> records;
    bool in_doubt = false;
    for (int step = 0; step < 12; ++step) {
      const bool deleted = !source_.objects[id_.path()].empty() && source_.objects[id_.path()].back().marker;
      if (chance(25) && !deleted && step > 0)
        records.emplace_back(Type::kDelete, source_.mark(id_.path()));
      else
        records.emplace_back(Type::kPut, put("v" + std::to_string(step)));
      if (chance(10) && step > 0) records.pop_back();  // lost
      const auto before = state_;
      for (int i = 0; i < 2 && !records.empty(); ++i) {
        const auto [type, version] = records[random() % records.size()];
        in_doubt = !apply(type, version, in_doubt || (step == 0)) || chance(20);
        EXPECT_TRUE(source_.history(id_.path()).starts_with(target())) << source_.history(id_.path()) << " / " << target();
      }
      if (chance(20)) {
        state_ = before;  // the node died before it kept the state
        in_doubt = true;
      }
    }
    store_.before = store_.after = [](const std::string&) { return Status::ok(); };
    ASSERT_TRUE(apply(Type::kSync, source_.objects[id_.path()].back().version_id, true));
    EXPECT_EQ(target(), source_.history(id_.path()));
  }
}

}  // namespace
}  // namespace fermata::crr::testing
