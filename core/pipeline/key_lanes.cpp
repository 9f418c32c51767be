#include "pipeline/key_lanes.hpp"

#include <functional>
#include <string_view>

namespace fermata::pipeline {

void KeyLanes::add(QueueRecord record) {
  const std::uint64_t hash = std::hash<std::string_view>{}(record.key);
  Lane& lane = lanes_[hash];
  if (lane.entries.empty()) {
    lane.hash = hash;
    ready_.push_back(&lane);
  }
  Entry& entry = lane.entries.emplace_back();
  entry.record = std::move(record);
  entry.lane = &lane;
  count(entry);
}

Entry& KeyLanes::next() {
  Lane& lane = *ready_.front();
  ready_.pop_front();
  lane.state = Lane::State::kInFlight;
  Entry& entry = lane.entries.front();
  ++entry.deliveries;
  uncount(entry);
  return entry;
}

void KeyLanes::finish(Entry& entry) {
  Lane& lane = *entry.lane;
  lane.entries.pop_front();
  if (lane.entries.empty()) {
    lanes_.erase(lane.hash);
    return;
  }
  lane.state = Lane::State::kReady;
  ready_.push_back(&lane);
}

void KeyLanes::hold(Entry& entry) {
  entry.lane->state = Lane::State::kHeld;
  count(entry);
}

void KeyLanes::release(Entry& entry) {
  entry.lane->state = Lane::State::kReady;
  ready_.push_back(entry.lane);
}

}  // namespace fermata::pipeline
