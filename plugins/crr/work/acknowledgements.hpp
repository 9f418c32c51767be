#pragma once

#include <fermata/sdk/status.hpp>

#include <cstddef>
#include <functional>
#include <mutex>

namespace fermata::crr {

/// Waits for several calls that are answered later, and ends once, when nobody holds it any more: with ok if every one was
/// answered with ok. So whatever is dropped on the way (a queue that is full, a service that stops) is seen at the end.
/// Shared by those that answer. Threads: [any].
class Acknowledgements {
 public:
  using End = std::function<void(const sdk::Status&)>;

  /// @param end  must not throw; an answer that never came is kUnavailable.
  Acknowledgements(std::size_t expected, End end) : expected_(expected), end_(std::move(end)) {}
  ~Acknowledgements() {
    if (failure_.is_ok() && expected_ > 0) failure_ = {sdk::Code::kUnavailable, "too much waits already, or the service is stopping"};
    end_(failure_);
  }
  Acknowledgements(const Acknowledgements&) = delete;
  Acknowledgements& operator=(const Acknowledgements&) = delete;

  /// One of the answers. The first failure is kept.
  void settle(const sdk::Status& status) {
    const std::lock_guard lock(mutex_);
    if (expected_ > 0) --expected_;
    if (failure_.is_ok()) failure_ = status;
  }

 private:
  std::mutex mutex_;  // guards the next two
  std::size_t expected_;
  sdk::Status failure_;
  const End end_;
};

}  // namespace fermata::crr
