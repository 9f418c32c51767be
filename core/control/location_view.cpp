#include "control/location_view.hpp"

#include <algorithm>

namespace fermata::control {
namespace {

// A node that has not heard yet is on its way, whatever it says; a failure it reports still is one.
ObservedState effective(bool paused, const NodeVote& vote) {
  const ObservedState state = vote.observation.state;
  if (vote.heard || state == ObservedState::kFailed || state == ObservedState::kDegraded) return state;
  return paused ? ObservedState::kPausing : ObservedState::kStarting;
}

}  // namespace

ObservedState aggregate(bool paused, bool readable, std::span<const NodeVote> votes) {
  if (!readable) return ObservedState::kFailed;
  for (const auto worst : {ObservedState::kFailed, ObservedState::kDegraded, ObservedState::kPausing, ObservedState::kStarting})
    if (std::ranges::any_of(votes, [&](const auto& vote) { return effective(paused, vote) == worst; })) return worst;
  const auto wanted = paused ? ObservedState::kPaused : ObservedState::kRunning;
  if (std::ranges::all_of(votes, [&](const auto& vote) { return vote.observation.state == wanted; })) return wanted;
  return paused ? ObservedState::kPausing : ObservedState::kStarting;
}

bool is_converged(bool paused, bool readable, std::span<const NodeVote> votes) {
  return readable && std::ranges::all_of(votes, [paused](const auto& vote) {
           if (!vote.heard) return false;
           if (paused) return vote.observation.state == ObservedState::kPaused;
           return vote.observation.state == ObservedState::kRunning || vote.observation.state == ObservedState::kDegraded;
         });
}

}  // namespace fermata::control
