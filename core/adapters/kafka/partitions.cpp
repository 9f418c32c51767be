#include "adapters/kafka/partitions.hpp"

#include <algorithm>

namespace fermata::kafka {

void Partitions::assign(std::span<const std::int32_t> partitions, const Offsets& committed) {
  for (const auto partition : partitions) {
    State& state = states_[partition] = {};
    if (const auto found = committed.find(partition); found != committed.end()) state.committed = state.next = found->second;
  }
}

void Partitions::start_leaving(std::span<const std::int32_t> partitions) {
  for (const auto partition : partitions)
    if (const auto found = states_.find(partition); found != states_.end()) found->second.leaving = true;
}

void Partitions::remove(std::span<const std::int32_t> partitions) {
  for (const auto partition : partitions) states_.erase(partition);
}

std::vector<std::int32_t> Partitions::all() const {
  std::vector<std::int32_t> out;
  for (const auto& [partition, state] : states_) out.push_back(partition);
  return out;
}

bool Partitions::has(std::int32_t partition) const {
  const auto found = states_.find(partition);
  return found != states_.end() && !found->second.leaving;
}

Partitions::Fit Partitions::take(std::int32_t partition, std::int64_t offset) {
  const auto found = states_.find(partition);
  if (found == states_.end() || found->second.leaving) return Fit::kForeign;
  State& state = found->second;
  if (state.took && offset < state.next) return Fit::kBackward;
  if (offset < state.committed) state.committed = -1;  // of a log that is no more
  if (state.next >= 0 && offset > state.next && !state.gap) state.gap = Gap{partition, state.next, offset};
  state.took = true;
  state.next = offset + 1;
  return Fit::kNext;
}

void Partitions::done(std::int32_t partition, std::int64_t offset) {
  if (const auto found = states_.find(partition); found != states_.end()) found->second.done = std::max(found->second.done, offset);
}

Offsets Partitions::uncommitted() const { return uncommitted(all()); }

Offsets Partitions::uncommitted(std::span<const std::int32_t> partitions) const {
  Offsets out;
  for (const auto partition : partitions) {
    const auto found = states_.find(partition);
    if (found != states_.end() && found->second.done > found->second.committed) out[partition] = found->second.done;
  }
  return out;
}

void Partitions::committed(const Offsets& offsets) {
  for (const auto& [partition, offset] : offsets)
    if (const auto found = states_.find(partition); found != states_.end())
      found->second.committed = std::max(found->second.committed, offset);
}

std::int64_t Partitions::lag() const {
  std::int64_t sum = 0;
  for (const auto& [partition, state] : states_) {
    const std::int64_t base = state.committed >= 0 ? state.committed : state.begin;
    if (base >= 0) sum += std::max<std::int64_t>(0, std::max(state.end, state.next) - base);
  }
  return sum;
}

void Partitions::set_ends(const Offsets& ends) {
  for (const auto& [partition, end] : ends)
    if (const auto found = states_.find(partition); found != states_.end()) found->second.end = end;
}

void Partitions::set_begins(const Offsets& begins) {
  for (const auto& [partition, begin] : begins)
    if (const auto found = states_.find(partition); found != states_.end()) found->second.begin = begin;
}

std::vector<std::int32_t> Partitions::wanting_begin() const {
  std::vector<std::int32_t> out;
  for (const auto& [partition, state] : states_)
    if (state.gap || (state.committed < 0 && state.begin < 0)) out.push_back(partition);
  return out;
}

std::vector<Partitions::Gap> Partitions::take_gaps(const Offsets& begins) {
  std::vector<Gap> out;
  for (const auto& [partition, begin] : begins) {
    const auto found = states_.find(partition);
    if (found == states_.end() || !found->second.gap) continue;
    Gap gap = *found->second.gap;
    found->second.gap.reset();
    gap.to = std::min(gap.to, begin);  // what is missing beyond was compacted away, or never was a record
    if (gap.to > gap.from) out.push_back(gap);
  }
  return out;
}

}  // namespace fermata::kafka
