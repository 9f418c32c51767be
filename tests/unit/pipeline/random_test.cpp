// The promises of a processor, under random completions, gates, failures and rebalances.

#include "fixture.hpp"

#include <random>
#include <set>

namespace fermata::pipeline {
namespace {

constexpr int kKeys = 20;
constexpr int kRecords = 600;

struct InHand {
  std::string key;
  std::int32_t partition;
  std::int64_t offset;
  Complete complete;
};

struct Delivered {
  std::int64_t offset = -1;
  int times_given = 0;  // its partition, before that
};

class RandomTest : public PipelineTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void process(const DeliveredRecord& delivered, Complete complete) {
    const QueueRecord& record = *delivered.record;
    ASSERT_TRUE(open_) << "delivered while the gate was closed";
    ASSERT_TRUE(keys_in_hand_.insert(record.key).second) << "two records of a key at one time";
    // A partition that was given back starts again at its committed offset; otherwise offsets of a key only grow.
    Delivered& last = last_of_key_[record.key];
    const int times_given = times_given_[record.partition];
    ASSERT_TRUE(record.offset >= last.offset || times_given > last.times_given) << "out of order";
    last = {record.offset, times_given};
    in_hand_.push_back({record.key, record.partition, record.offset, std::move(complete)});
  }

  void complete_one() {
    if (in_hand_.empty()) return;
    std::swap(in_hand_[static_cast<std::size_t>(draw(static_cast<int>(in_hand_.size())))], in_hand_.back());
    InHand one = std::move(in_hand_.back());
    in_hand_.pop_back();
    keys_in_hand_.erase(one.key);
    const int dice = draw(10);
    if (dice < 6 || calm_) {
      done_.emplace(one.partition, one.offset);
      one.complete(Outcome::kDone, {});
    } else if (dice < 8) {
      one.complete(Outcome::kRetry, "again");
    } else if (dice < 9) {
      one.complete(Outcome::kFailed, "never");
    }  // else dropped
  }

  void rebalance() {
    const std::int32_t partition = draw(4);
    if (elsewhere_.erase(partition) > 0) {
      ++times_given_[partition];
      queue_.assign("topic", "crr-paris", {partition});
    } else {
      elsewhere_.insert(partition);
      queue_.revoke("topic", "crr-paris", {partition});
    }
    executor_.run_ready();
  }

  void set_gate(bool open) {
    if (open) open_ = true;
    pipelines_->set_gate("paris", open);
    open_ = open;
  }

  void check_commits() {
    std::set<std::pair<std::int32_t, std::int64_t>> handled = done_;
    kv_.set_down("");
    const auto failed = kv_.scan("crr/failed", {}, {}, 10'000);
    for (const auto& [key, value] : *failed) {
      const auto id = key.substr(std::string("paris/topic/").size());
      handled.emplace(std::stoi(id.substr(0, 5)), std::stoll(id.substr(6)));
    }
    for (std::int32_t partition = 0; partition < 4; ++partition)
      for (std::int64_t offset = 0; offset < queue_.committed("topic", "crr-paris", partition); ++offset)
        ASSERT_TRUE(handled.contains({partition, offset})) << "offset " << offset << " of " << partition << " was passed undone";
  }

  void act() {
    switch (draw(12)) {
      case 0: return set_gate(!open_);
      case 1: return rebalance();
      case 2: return executor_.advance(std::chrono::milliseconds(draw(400)));
      case 3: return kv_.set_down(draw(3) == 0 ? "disk full" : "");
      case 4:
        if (appended_ < kRecords) queue_.append("topic", "key" + std::to_string(draw(kKeys)), std::to_string(appended_++));
        return;
      case 5:
      case 6: executor_.run_ready(); return;
      default: return complete_one();
    }
  }

  void settle_down() {
    calm_ = true;
    kv_.set_down("");
    while (!elsewhere_.empty()) {
      ++times_given_[*elsewhere_.begin()];
      queue_.assign("topic", "crr-paris", {*elsewhere_.begin()});
      elsewhere_.erase(elsewhere_.begin());
    }
    set_gate(true);
    for (int round = 0; round < 10'000; ++round) {
      executor_.advance(100ms);
      while (!in_hand_.empty()) {
        complete_one();
        executor_.run_ready();
      }
      if (pipelines_->counts("paris").lag == 0) return;
    }
    FAIL() << "not everything was done in the end";
  }

  std::mt19937 random_{GetParam()};
  std::unique_ptr<ServicePipelines> pipelines_;
  std::vector<InHand> in_hand_;
  std::set<std::string> keys_in_hand_;
  std::map<std::string, Delivered> last_of_key_;
  std::set<std::pair<std::int32_t, std::int64_t>> done_;
  std::set<std::int32_t> elsewhere_;
  std::map<std::int32_t, int> times_given_;  // how often each partition was given back
  bool open_ = false;
  bool calm_ = false;
  int appended_ = 0;
};

TEST_P(RandomTest, OrderGatesAndOffsetsHoldWhateverHappens) {
  pipelines_ = make(
      {.max_in_flight = 8, .prefetch_records = 50, .max_attempts = 3, .retry_first = 10ms, .retry_max = 100ms, .commit_interval = 200ms});
  ASSERT_TRUE(pipelines_->add_processor({"replicate", "topic", "paris", {}, 0, [this](const DeliveredRecord& delivered, Complete complete) {
                                           process(delivered, std::move(complete));
                                         }}));
  ASSERT_TRUE(pipelines_->start());
  for (int i = 0; i < 100; ++i, ++appended_) queue_.append("topic", "key" + std::to_string(draw(kKeys)), std::to_string(appended_));
  for (int step = 0; step < 6'000 && !HasFatalFailure(); ++step) {
    act();
    if (step % 50 == 0) check_commits();
  }
  if (HasFatalFailure()) return;
  settle_down();
  check_commits();
  EXPECT_TRUE(pipelines_->stop(1s));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomTest, ::testing::Range(1u, 31u));

}  // namespace
}  // namespace fermata::pipeline
