#pragma once

#include "control/service_driver.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::testing {

/// A service that obeys at once, or when told (`hold`), and remembers what it was asked.
class FakeDriver final : public control::ServiceDriver {
 public:
  void apply(std::string_view location, bool paused) override {
    {
      const std::lock_guard lock(mutex_);
      applied_.emplace_back(location, paused);
      auto& observation = observations_[std::string(location)];
      using control::ObservedState;
      if (held_)
        observation.state = paused ? ObservedState::kPausing : ObservedState::kStarting;
      else
        observation.state = paused ? ObservedState::kPaused : ObservedState::kRunning;
    }
    changed(location);
  }

  control::LocationObservation observe(std::string_view location) const override {
    const std::lock_guard lock(mutex_);
    const auto found = observations_.find(location);
    return found == observations_.end() ? control::LocationObservation{} : found->second;
  }

  void on_change(std::function<void(std::string_view location)> callback) override {
    const std::lock_guard lock(mutex_);
    callback_ = std::move(callback);
  }

  /// From now on apply leads only to pausing or starting, until `observe_as` says more.
  void hold(bool held = true) {
    const std::lock_guard lock(mutex_);
    held_ = held;
  }

  void observe_as(std::string_view location, control::LocationObservation observation, bool tell = true) {
    {
      const std::lock_guard lock(mutex_);
      observations_[std::string(location)] = std::move(observation);
    }
    if (tell) changed(location);
  }
  void observe_as(std::string_view location, control::ObservedState state) {
    observe_as(location, control::LocationObservation{.state = state});
  }

  /// What was asked, in order, and forgets it.
  std::vector<std::pair<std::string, bool>> take_applied() {
    const std::lock_guard lock(mutex_);
    return std::exchange(applied_, {});
  }

 private:
  void changed(std::string_view location) {
    std::function<void(std::string_view)> callback;
    {
      const std::lock_guard lock(mutex_);
      callback = callback_;
    }
    if (callback) callback(location);
  }

  mutable std::mutex mutex_;  // guards everything below
  bool held_ = false;
  std::map<std::string, control::LocationObservation, std::less<>> observations_;
  std::vector<std::pair<std::string, bool>> applied_;
  std::function<void(std::string_view)> callback_;
};

}  // namespace fermata::testing
